//! Node.js: every line that has an image, and npm's own way to write constraints.

mod constraint;

use std::sync::LazyLock;

use constraint::Wanted;
use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin, memory_mib,
    version_line::{self, Catalogue, Fit, Match, Preference, Question, VersionLine},
};

const LANGUAGE: &str = "Node.js";
const TOOL: &str = "node";
const FIX: &str = "set `engines.node` in package.json (or .nvmrc) to";
const PREFERENCE: Preference<'static> = Preference { default: "22", at_hand: &["20", "22", "24"] };

static VERSIONS: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../versions.json")));

#[derive(Debug, Default)]
pub struct Node;

impl RuntimePlugin for Node {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: "node".into(),
            name: LANGUAGE.into(),
            versions: VERSIONS.offered(PREFERENCE.default),
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
        let question = Question { language: LANGUAGE, constraint, fix: FIX };
        let not_understood = || version_line::not_understood(question, &VERSIONS);
        let only = |wanted: &VersionLine| VERSIONS.resolve(question, PREFERENCE, |line| whole(line, line == wanted));
        match constraint::parse(constraint).ok_or_else(not_understood)? {
            Wanted::NewestLine => only(newest_at_hand(|_| true).ok_or_else(not_understood)?),
            Wanted::NewestLongTerm => only(newest_at_hand(|line| line.lts.is_some()).ok_or_else(not_understood)?),
            Wanted::LongTerm(name) => only(long_term(&name).ok_or_else(not_understood)?),
            Wanted::Range(range) => VERSIONS.resolve_by_release(question, PREFERENCE, |release| range.allow(release)),
        }
    }

    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        // V8 sizes its heap by the machine and not by the container. A quarter is left for buffers, stacks and code.
        let heap_mib = (memory_mib(&request)? / 4 * 3).max(1);
        Ok(LaunchSettings {
            env: vec![("NODE_ENV".into(), "production".into()), ("NODE_OPTIONS".into(), format!("--max-old-space-size={heap_mib}"))],
        })
    }
}

fn whole(line: &VersionLine, fits: bool) -> Match {
    if fits { Match { fit: Fit::Newest, release: line.releases.last().cloned() } } else { Fit::No.into() }
}

/// Who asks for the newest line asks for no particular one, so it is one that every installation can have.
fn newest_at_hand(is_meant: impl Fn(&VersionLine) -> bool) -> Option<&'static VersionLine> {
    VERSIONS.lines.iter().rfind(|line| PREFERENCE.at_hand.contains(&line.version.as_str()) && is_meant(line))
}

fn long_term(name: &str) -> Option<&'static VersionLine> {
    VERSIONS.lines.iter().find(|line| line.lts.as_ref().is_some_and(|lts| lts.eq_ignore_ascii_case(name)))
}

export_plugin!(runtime: Node);
