//! Python: the lines 3.11 and 3.13, and the ways in which Python's tools write constraints.

mod constraint;

use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, NaiveDate, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, VersionLine,
    export_plugin, memory_mib, version_line,
};

const LANGUAGE: &str = "Python";
const TOOL: &str = "python";
const FIX: &str = "set `requires-python` in pyproject.toml (or .python-version) to";

/// What one web worker of a usual application takes.
const WORKER_MIB: i64 = 256;

/// End of life as the project's release schedule has it.
const LINES: [VersionLine; 2] = [
    VersionLine { version: "3.11", image: "python:3.11-slim", is_default: false, end_of_life: NaiveDate::from_ymd_opt(2027, 10, 31) },
    VersionLine { version: "3.13", image: "python:3.13-slim", is_default: true, end_of_life: NaiveDate::from_ymd_opt(2029, 10, 31) },
];

#[derive(Debug, Default)]
pub struct Python;

impl RuntimePlugin for Python {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: "python".into(),
            name: LANGUAGE.into(),
            versions: LINES.iter().map(Into::into).collect(),
            tools: vec![TOOL.into()],
            detect_files: ["pyproject.toml", "requirements.txt", "Pipfile", "setup.py", "main.py"].map(Into::into).to_vec(),
            default_port: 8000,
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
        version_line::resolve(LANGUAGE, &LINES, constraint, FIX, |line| wanted.fit(line.version))
    }

    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        // More workers than 2 per core and one only take turns; gunicorn's documentation gives that figure.
        let by_cpu = 2 * ((request.cpu_millis.clamp(1, 1_000_000) + 999) / 1000) + 1;
        let workers = (memory_mib(&request)? / WORKER_MIB).clamp(1, by_cpu);
        Ok(LaunchSettings {
            env: vec![
                // Otherwise what an app prints is lost with it when it crashes.
                ("PYTHONUNBUFFERED".into(), "1".into()),
                ("WEB_CONCURRENCY".into(), workers.to_string()),
            ],
        })
    }
}

export_plugin!(runtime: Python);
