//! Gemfile, as far as it can be read without running it, and Gemfile.lock, which says everything.

use std::collections::BTreeSet;

use slipway_buildpack_sdk::{Refusal, Source, refuse};

use crate::lock_missing;

pub const MANIFEST: &str = "Gemfile";
pub const LOCK: &str = "Gemfile.lock";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gems {
    /// Of the lockfile: all that will be there.
    names: BTreeSet<String>,
    /// `ruby "~> 3.1"` in Gemfile, and the line it is on.
    pub ruby: Option<(String, u32)>,
    /// The Ruby that the lockfile was written with.
    pub locked_ruby: Option<String>,
}

impl Gems {
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// `None`: there is no Gemfile.
pub fn read(source: &Source) -> Result<Option<Gems>, Refusal> {
    let Some(manifest) = source.read(MANIFEST)? else { return Ok(None) };
    let (named, ruby) = parse_manifest(&manifest);
    let mut gems = match source.read(LOCK)? {
        Some(lock) => parse_lock(&lock)?,
        None if named => return Err(lock_missing()),
        None => Gems::default(),
    };
    gems.ruby = ruby;
    Ok(Some(gems))
}

/// Whether it names any gem, and the `ruby` line. A Gemfile is a program; what it computes is in the lockfile.
fn parse_manifest(text: &str) -> (bool, Option<(String, u32)>) {
    let mut named = false;
    let mut ruby = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        named |= ["gem ", "gem(", "gemspec", "gem\""].iter().any(|word| line.starts_with(word));
        if let Some(rest) = line.strip_prefix("ruby ").or_else(|| line.strip_prefix("ruby("))
            && let Some(requirement) = quoted(rest)
        {
            ruby = Some((requirement, number));
        }
    }
    (named, ruby)
}

/// What is in the quotes at the beginning of a text, joined: `"~> 3.1", ">= 3.1.2"`.
fn quoted(text: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(['(', ' ']);
    while let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        let (inside, behind) = rest[1..].split_once(quote)?;
        parts.push(inside.trim().to_owned());
        rest = behind.trim_start_matches([',', ' ']);
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn parse_lock(text: &str) -> Result<Gems, Refusal> {
    let mut gems = Gems::default();
    let mut section = "";
    let mut has_dependencies = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") {
            return Err(refuse("RUBY_LOCK_INVALID", format!("`{LOCK}` has a merge conflict in it."))
                .at(LOCK)
                .line(number)
                .fix("Resolve it, and run `bundle lock`."));
        }
        let content = line.trim_start();
        let indent = line.len() - content.len();
        match (indent, section) {
            (_, _) if content.is_empty() => {}
            (0, _) => section = content,
            (4, "GEM" | "GIT" | "PATH") => {
                gems.names.extend(content.split(' ').next().map(str::to_owned));
            }
            (_, "DEPENDENCIES") => has_dependencies = true,
            (_, "RUBY VERSION") => {
                // `ruby 3.1.2p20`
                let version = content.strip_prefix("ruby ").unwrap_or(content).split('p').next().unwrap_or_default();
                gems.locked_ruby = Some(version.to_owned()).filter(|version| !version.is_empty());
            }
            _ => {}
        }
    }
    if !gems.names.is_empty() && !has_dependencies {
        return Err(refuse("RUBY_LOCK_INVALID", format!("`{LOCK}` is not whole: it has no DEPENDENCIES."))
            .at(LOCK)
            .fix("Restore it, or run `bundle lock`."));
    }
    Ok(gems)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: &str = "GEM\n  remote: https://rubygems.org/\n  specs:\n    puma (5.6.5)\n      nio4r (~> 2.0)\n    nio4r (2.5.8)\n\n\
                          DEPENDENCIES\n  puma (~> 5.6)\n\nRUBY VERSION\n   ruby 3.1.2p20\n\nBUNDLED WITH\n   2.3.15\n";

    #[test]
    fn gems_and_the_ruby_they_were_locked_with_are_read() {
        let gems = parse_lock(LOCKED).unwrap();
        assert_eq!(gems.names().collect::<Vec<_>>(), ["nio4r", "puma"]);
        assert_eq!(gems.locked_ruby.as_deref(), Some("3.1.2"));
    }

    #[test]
    fn a_manifest_is_read_as_far_as_that_goes() {
        let (named, ruby) = parse_manifest("source \"x\"\n\nruby '~> 3.1', \">= 3.1.2\"\ngem \"puma\"\n");
        assert!(named);
        assert_eq!(ruby, Some(("~> 3.1, >= 3.1.2".into(), 3)));
        assert_eq!(parse_manifest("# gem \"puma\"\nruby File.read(\".ruby-version\")\n"), (false, None));
    }

    #[test]
    fn what_is_broken_is_refused_with_its_line() {
        let conflict = parse_lock(&format!("<<<<<<< HEAD\n{LOCKED}")).unwrap_err();
        assert_eq!((conflict.code.as_str(), conflict.line), ("RUBY_LOCK_INVALID", Some(1)));
        assert!(parse_lock(&LOCKED[..LOCKED.len() / 2]).is_err(), "half a lockfile");
        for odd in ["", "\n\n", "GEM", "RUBY VERSION\n   p", "    x"] {
            assert!(parse_lock(odd).is_ok(), "{odd:?}");
        }
    }
}
