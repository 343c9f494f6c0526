//! Which Ruby the application wants: `.ruby-version` is a choice, `ruby` in Gemfile a requirement, and the lockfile remembers one.

use slipway_buildpack_sdk::{Refusal, Source, Tool, refuse};

use crate::gemfile::{Gems, LOCK, MANIFEST};

pub const TOOL: &str = "ruby";
const DEFAULT: &str = ">= 3";
const CHOICE: &str = ".ruby-version";

pub fn wanted(source: &Source, gems: Option<&Gems>) -> Result<Tool, Refusal> {
    if let Some(text) = source.read(CHOICE)? {
        let text = text.trim();
        let version = text.strip_prefix("ruby-").unwrap_or(text);
        check(version, CHOICE, 1)?;
        return Ok(Tool::stated(TOOL, version, CHOICE));
    }
    if let Some((requirement, line)) = gems.and_then(|gems| gems.ruby.as_ref()) {
        for part in requirement.split(',') {
            check(part.trim().trim_start_matches(['~', '>', '<', '=', '!', ' ']), MANIFEST, *line)?;
        }
        return Ok(Tool::stated(TOOL, requirement.as_str(), format!("{MANIFEST}#ruby")));
    }
    if let Some(version) = gems.and_then(|gems| gems.locked_ruby.as_deref()) {
        // It was written with this one, and runs with any of its line.
        let line: Vec<&str> = version.split('.').take(2).collect();
        let requirement = format!("~> {}.0", line.join("."));
        check(&line.join("."), LOCK, 1)?;
        return Ok(Tool::stated(TOOL, requirement, format!("{LOCK}#RUBY VERSION")));
    }
    Ok(Tool::by_default(TOOL, DEFAULT))
}

fn check(version: &str, file: &str, line: u32) -> Result<(), Refusal> {
    let is_version = version.len() <= 20 && (1..=4).contains(&version.split('.').count()) && version.split('.').all(is_number);
    if is_version {
        return Ok(());
    }
    Err(refuse("RUBY_VERSION_INVALID", format!("`{}` in {file} is not a version of Ruby.", version.escape_default()))
        .at(file)
        .line(line)
        .fix("Write one such as `3.1` or `3.1.2`."))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
