//! Node.js: the lines 20, 22 and 24, and npm's own way to write constraints.

mod constraint;

use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, NaiveDate, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, VersionLine,
    export_plugin, memory_mib, version_line,
};

const LANGUAGE: &str = "Node.js";
const TOOL: &str = "node";
const FIX: &str = "set `engines.node` in package.json (or .nvmrc) to";

/// End of life as the project's release schedule has it.
const LINES: [VersionLine; 3] = [
    VersionLine { version: "20", image: "node:20-slim", is_default: false, end_of_life: NaiveDate::from_ymd_opt(2026, 4, 30) },
    VersionLine { version: "22", image: "node:22-slim", is_default: true, end_of_life: NaiveDate::from_ymd_opt(2027, 4, 30) },
    VersionLine { version: "24", image: "node:24-slim", is_default: false, end_of_life: NaiveDate::from_ymd_opt(2028, 4, 30) },
];

#[derive(Debug, Default)]
pub struct Node;

impl RuntimePlugin for Node {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: "node".into(),
            name: LANGUAGE.into(),
            versions: LINES.iter().map(Into::into).collect(),
            tools: vec![TOOL.into()],
            detect_files: vec!["package.json".into()],
            default_port: 3000,
        })
    }

    fn resolve(&self, request: ResolveRequest) -> Result<Resolution, PluginError> {
        if request.tool != TOOL {
            return Err(version_line::unknown_tool(&request.tool, &[TOOL]));
        }
        let constraint = request.constraint.trim();
        version_line::check_constraint(LANGUAGE, constraint)?;
        let Some(wanted) = constraint::parse(constraint) else {
            return Err(version_line::not_understood(LANGUAGE, constraint, FIX, &LINES));
        };
        let newest = LINES.last().map(|line| line.version);
        version_line::resolve(LANGUAGE, &LINES, constraint, FIX, |line| wanted.fit(line.version, Some(line.version) == newest))
    }

    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        // V8 sizes its heap by the machine and not by the container. A quarter is left for buffers, stacks and code.
        let heap_mib = (memory_mib(&request)? / 4 * 3).max(1);
        Ok(LaunchSettings {
            env: vec![("NODE_ENV".into(), "production".into()), ("NODE_OPTIONS".into(), format!("--max-old-space-size={heap_mib}"))],
        })
    }
}

export_plugin!(runtime: Node);
