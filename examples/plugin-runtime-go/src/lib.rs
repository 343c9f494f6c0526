//! The runtime plugin for Go: which versions there are, in which images, and what an instance of a given size is told.
//!
//! Programs are built in Go's own image and run in one of a few megabytes.

mod constraint;

use std::sync::LazyLock;

use constraint::Wanted;
use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin, memory_mib,
    version_line::{self, Catalogue, Preference, Question},
};

const LANGUAGE: &str = "Go";
const TOOL: &str = "go";
const FIX: &str = "set `toolchain` in go.mod (or .go-version) to";
const PREFERENCE: Preference<'static> = Preference { default: "1.27", at_hand: &["1.26", "1.27"] };
/// A static program needs a file system and, for customers' commands, a shell.
const RUN_IMAGE: &str = "busybox:1.37";

static VERSIONS: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../versions.json")));

#[derive(Debug, Default)]
pub struct Go;

impl RuntimePlugin for Go {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        let versions = VERSIONS.offered(PREFERENCE.default).into_iter().map(|mut version| {
            version.run_image = RUN_IMAGE.into();
            version
        });
        Ok(RuntimeDescription {
            slug: TOOL.into(),
            name: LANGUAGE.into(),
            versions: versions.collect(),
            tools: vec![TOOL.into()],
            detect_files: vec!["go.mod".into()],
            default_port: 8080,
        })
    }

    fn resolve(&self, request: ResolveRequest) -> Result<Resolution, PluginError> {
        if request.tool != TOOL {
            return Err(version_line::unknown_tool(&request.tool, &[TOOL]));
        }
        let constraint = request.constraint.trim();
        version_line::check_constraint(LANGUAGE, constraint)?;
        let question = Question { language: LANGUAGE, constraint, fix: FIX };
        let Some(wanted) = Wanted::parse(constraint) else {
            return Err(version_line::not_understood(question, &VERSIONS));
        };
        let resolution = VERSIONS.resolve(question, PREFERENCE, |line| wanted.fit(&line.version).into())?;
        Ok(Resolution { run_image: RUN_IMAGE.into(), ..resolution })
    }

    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        // Go sizes its heap by what it finds and is killed for it; a tenth is left for stacks and what is not Go's.
        let memory_mib = (memory_mib(&request)? / 10 * 9).max(1);
        // Threads beyond the processors that an instance may use only take turns.
        let processors = (request.cpu_millis.clamp(1, 1_000_000) + 999) / 1000;
        Ok(LaunchSettings { env: vec![("GOMEMLIMIT".into(), format!("{memory_mib}MiB")), ("GOMAXPROCS".into(), processors.to_string())] })
    }
}

export_plugin!(runtime: Go);

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(constraint: &str) -> Result<Resolution, PluginError> {
        Go.resolve(ResolveRequest { tool: TOOL.into(), constraint: constraint.into() })
    }

    #[test]
    fn what_go_mod_says_is_the_oldest_go_that_will_do() {
        for constraint in ["1", ">=1.22", ">=1.22.3", ">=1.27"] {
            assert_eq!(resolve(constraint).unwrap().version, "1.27", "{constraint}");
        }
        assert_eq!(resolve("1.26").unwrap().build_image, "golang:1.26-bookworm");
        assert_eq!(resolve("1.26.2").unwrap().run_image, "busybox:1.37");
    }

    #[test]
    fn what_there_is_not_is_refused() {
        assert_eq!(resolve(">=1.99").unwrap_err().code, "VERSION_UNAVAILABLE");
        assert_eq!(resolve("2").unwrap_err().code, "VERSION_UNKNOWN");
        for odd in ["", "newest", ">=", ">=1.x", "1..2", "<1.20"] {
            assert_eq!(resolve(odd).unwrap_err().code, "CONSTRAINT_INVALID", "{odd}");
        }
        let error = Go.resolve(ResolveRequest { tool: "ruby".into(), constraint: "3".into() }).unwrap_err();
        assert_eq!(error.code, "UNKNOWN_TOOL");
    }

    #[test]
    fn an_instance_knows_its_size() {
        let request = LaunchRequest { memory_bytes: 512 << 20, cpu_millis: 1500, version: "1.27".into() };
        assert_eq!(Go.launch(request).unwrap().env, [("GOMEMLIMIT".into(), "459MiB".into()), ("GOMAXPROCS".into(), "2".into())]);
    }
}
