//! Python: every line that has an image, and the ways in which Python's tools write constraints.

use std::{str::FromStr as _, sync::LazyLock};

use pep440_rs::Version;
use slipway_constraint_python::Constraint;
use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin, memory_mib,
    version_line::{self, Catalogue, Preference, Question},
};

const LANGUAGE: &str = "Python";
const TOOL: &str = "python";
const FIX: &str = "set `requires-python` in pyproject.toml (or .python-version) to";
const PREFERENCE: Preference<'static> = Preference { default: "3.13", at_hand: &["3.11", "3.13"] };

/// What one web worker of a usual application takes.
const WORKER_MIB: i64 = 256;

static VERSIONS: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../versions.json")));

#[derive(Debug, Default)]
pub struct Python;

impl RuntimePlugin for Python {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: "python".into(),
            name: LANGUAGE.into(),
            versions: VERSIONS.offered(PREFERENCE.default),
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
        let question = Question { language: LANGUAGE, constraint, fix: FIX };
        let Some(wanted) = Constraint::parse(plain(constraint)) else {
            return Err(version_line::not_understood(question, &VERSIONS));
        };
        VERSIONS.resolve_by_release(question, PREFERENCE, |release| Version::from_str(release).is_ok_and(|release| wanted.allows(&release)))
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

/// Without what version managers write before a version. Who states nothing takes any.
fn plain(constraint: &str) -> &str {
    match constraint {
        "" => "*",
        text => text.strip_prefix("python-").or_else(|| text.strip_prefix('v')).unwrap_or(text),
    }
}

export_plugin!(runtime: Python);
