//! The runtime plugin for Deno: which versions there are, and in which images.

use std::sync::LazyLock;

use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin, memory_mib,
    version_line::{self, Catalogue, Preference, Question},
};

const LANGUAGE: &str = "Deno";
const TOOL: &str = "deno";
const FIX: &str = "write into .deno-version";
const PREFERENCE: Preference<'static> = Preference { default: "2.9", at_hand: &["2.9"] };

static VERSIONS: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../versions.json")));

#[derive(Debug, Default)]
pub struct Deno;

impl RuntimePlugin for Deno {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: TOOL.into(),
            name: LANGUAGE.into(),
            versions: VERSIONS.offered(PREFERENCE.default),
            tools: vec![TOOL.into()],
            detect_files: vec!["deno.json".into(), "deno.jsonc".into()],
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
        if !constraint.split('.').all(|part| part.parse::<u64>().is_ok()) {
            return Err(version_line::not_understood(question, &VERSIONS));
        }
        // `2` and `2.9` name lines, `2.9.1` a release.
        VERSIONS.resolve_by_release(question, PREFERENCE, |release| {
            release.strip_prefix(constraint).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        // V8 sizes its heap by the machine and not by the container. A quarter is left for buffers, stacks and code.
        let heap_mib = (memory_mib(&request)? / 4 * 3).max(1);
        Ok(LaunchSettings { env: vec![("DENO_V8_FLAGS".into(), format!("--max-old-space-size={heap_mib}"))] })
    }
}

export_plugin!(runtime: Deno);

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(constraint: &str) -> Result<Resolution, PluginError> {
        Deno.resolve(ResolveRequest { tool: TOOL.into(), constraint: constraint.into() })
    }

    #[test]
    fn a_version_becomes_the_image_of_its_line() {
        for constraint in ["2", "2.9", "2.9.8"] {
            let resolution = resolve(constraint).unwrap();
            assert_eq!(
                (resolution.version.as_str(), resolution.run_image.as_str()),
                ("2.9.8", "denoland/deno:debian-2.9.8"),
                "{constraint}"
            );
        }
        let older = resolve("2.7.3").unwrap();
        assert_eq!((older.version.as_str(), older.notices.len()), ("2.7.3", 1), "the image has a newer release of 2.7, which is said");
    }

    #[test]
    fn what_there_is_not_is_refused() {
        assert_eq!(resolve("3").unwrap_err().code, "VERSION_UNKNOWN");
        for odd in ["", "newest", "^2", "2."] {
            assert_eq!(resolve(odd).unwrap_err().code, "CONSTRAINT_INVALID", "{odd}");
        }
    }
}
