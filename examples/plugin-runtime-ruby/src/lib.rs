//! The runtime plugin for Ruby: which versions Debian has, and what an instance of a given size is told.
//!
//! There is no image of Ruby's own: the buildpack installs Debian's packages into Debian's image, so an application runs wherever that
//! image can be had, and with the security updates of Debian.

mod requirement;

use std::sync::LazyLock;

use requirement::Requirement;
use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin, memory_mib,
    version_line::{self, Catalogue, Fit, Match, Preference, Question},
};

const LANGUAGE: &str = "Ruby";
const TOOL: &str = "ruby";
const FIX: &str = "set `ruby` in Gemfile (or .ruby-version) to";
const PREFERENCE: Preference<'static> = Preference { default: "3.1", at_hand: &["3.1", "3.3"] };

static VERSIONS: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("../versions.json")));

#[derive(Debug, Default)]
pub struct Ruby;

impl RuntimePlugin for Ruby {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: TOOL.into(),
            name: LANGUAGE.into(),
            versions: VERSIONS.offered(PREFERENCE.default),
            tools: vec![TOOL.into()],
            detect_files: vec!["Gemfile".into(), "config.ru".into()],
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
        let Some(requirement) = Requirement::parse(constraint) else {
            return Err(version_line::not_understood(question, &VERSIONS));
        };
        // Debian has one release of a line, and Bundler insists on the one that is asked for.
        VERSIONS.resolve(question, PREFERENCE, |line| {
            let release = line.releases.iter().find(|release| requirement.allows(release)).cloned();
            Match { fit: if release.is_some() { Fit::Newest } else { Fit::No }, release }
        })
    }

    /// Puma takes as many threads and processes as it is told; the C library's arenas are what makes Ruby's memory grow.
    fn launch(&self, request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        let by_memory = (memory_mib(&request)? / 256).clamp(0, 16);
        let by_processors = (request.cpu_millis / 1000).clamp(0, 16);
        let workers = by_memory.min(by_processors);
        // One process needs no other to mind it.
        let workers = if workers < 2 { 0 } else { workers };
        let env = [("WEB_CONCURRENCY", workers.to_string()), ("RAILS_MAX_THREADS", "5".into()), ("MALLOC_ARENA_MAX", "2".into())];
        Ok(LaunchSettings { env: env.map(|(key, value)| (key.to_owned(), value)).to_vec() })
    }
}

export_plugin!(runtime: Ruby);

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(constraint: &str) -> Result<Resolution, PluginError> {
        Ruby.resolve(ResolveRequest { tool: TOOL.into(), constraint: constraint.into() })
    }

    #[test]
    fn a_requirement_becomes_the_debian_that_has_such_a_ruby() {
        for constraint in ["3.1", "3.1.2", "~> 3.1.0", ">= 3", ">= 3.1, < 3.2", "~> 3.0"] {
            assert_eq!(resolve(constraint).unwrap().run_image, "debian:bookworm-slim", "{constraint}");
        }
        for constraint in ["3.3", "~> 3.3", "> 3.1.2", "!= 3.1.2"] {
            assert_eq!(resolve(constraint).unwrap().run_image, "debian:trixie-slim", "{constraint}");
        }
    }

    #[test]
    fn what_debian_has_not_is_refused() {
        assert_eq!(resolve("3.1.4").unwrap_err().code, "VERSION_UNKNOWN");
        assert_eq!(resolve("~> 2.7").unwrap_err().code, "VERSION_UNAVAILABLE");
        for odd in ["", "newest", "^3", "3.", "~>", ">= 3,"] {
            assert_eq!(resolve(odd).unwrap_err().code, "CONSTRAINT_INVALID", "{odd}");
        }
    }
}
