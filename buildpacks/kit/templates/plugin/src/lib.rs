//! The runtime plugin for {{id}}: which versions there are, and in which images.
//!
//! The buildpack says which version an application asks for, in the language's own syntax; this says which image that is.

use std::sync::LazyLock;

use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin,
    version_line::{self, Catalogue, Preference, Question},
};

const TOOL: &str = "{{id}}";
const FIX: &str = "set `version` in {{id}}.toml to";
/// The line that is taken wherever it fits, and those whose images an installation can make by itself.
const PREFERENCE: Preference<'static> = Preference { default: "1", at_hand: &["1"] };

static VERSIONS: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../versions.json")));

#[derive(Debug, Default)]
pub struct {{Type}};

impl RuntimePlugin for {{Type}} {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: TOOL.into(),
            name: "{{Type}}".into(),
            versions: VERSIONS.offered(PREFERENCE.default),
            tools: vec![TOOL.into()],
            detect_files: vec!["{{id}}.toml".into()],
            default_port: 8080,
        })
    }

    fn resolve(&self, request: ResolveRequest) -> Result<Resolution, PluginError> {
        if request.tool != TOOL {
            return Err(version_line::unknown_tool(&request.tool, &[TOOL]));
        }
        let constraint = request.constraint.trim();
        version_line::check_constraint("{{Type}}", constraint)?;
        let question = Question { language: "{{Type}}", constraint, fix: FIX };
        if constraint.is_empty() || !constraint.split('.').all(|part| part.parse::<u64>().is_ok()) {
            return Err(version_line::not_understood(question, &VERSIONS));
        }
        // `1` and `1.2` name a line, `1.2.0` a release.
        let allows = |release: &str| release == constraint || release.starts_with(&format!("{constraint}."));
        VERSIONS.resolve_by_release(question, PREFERENCE, allows)
    }

    /// Environment variables that suit an instance's size; a language that sizes itself by the machine needs some.
    fn launch(&self, _request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        Ok(LaunchSettings::default())
    }
}

export_plugin!(runtime: {{Type}});

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(constraint: &str) -> Result<Resolution, PluginError> {
        {{Type}}.resolve(ResolveRequest { tool: TOOL.into(), constraint: constraint.into() })
    }

    #[test]
    fn a_constraint_becomes_an_image_or_is_refused() {
        assert_eq!(resolve("1").unwrap().run_image, "{{id}}:1");
        assert_eq!(resolve("1.0.0").unwrap().version, "1.0.0");
        assert_eq!(resolve("newest").unwrap_err().code, "CONSTRAINT_INVALID");
        assert_eq!(resolve("99").unwrap_err().code, "VERSION_UNKNOWN");
    }
}
