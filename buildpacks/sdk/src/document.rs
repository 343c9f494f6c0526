//! Manifests that may be broken: the refusal names the line.

use serde::de::DeserializeOwned;

use crate::{Refusal, refuse};

/// Parses JSON, into a type of one's own or a `serde_json::Value`.
///
/// # Errors
/// A refusal with the given id, naming file and line.
pub fn parse_json<T: DeserializeOwned>(code: &str, file: &str, text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        refuse(code, format!("`{file}` is not valid: {error}.")).at(file).line(error.line().max(1) as u32).fix(format!("Correct `{file}`."))
    })
}

/// Parses TOML, into a type of one's own or a `toml::Table`.
///
/// ```
/// use slipway_buildpack_sdk::parse_toml;
///
/// let refusal = parse_toml::<toml::Table>("GLEAM_MANIFEST_INVALID", "gleam.toml", "name = \"shop\"\nversion =\n").unwrap_err();
/// assert_eq!((refusal.file.as_deref(), refusal.line), (Some("gleam.toml"), Some(2)));
/// ```
///
/// # Errors
/// A refusal with the given id, naming file and line.
pub fn parse_toml<T: DeserializeOwned>(code: &str, file: &str, text: &str) -> Result<T, Refusal> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
        refuse(code, format!("`{file}` is not valid: {}.", error.message().trim_end()))
            .at(file)
            .line(line)
            .fix(format!("Correct `{file}`."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_manifest_is_refused_with_its_line() {
        let json = parse_json::<serde_json::Value>("BROKEN", "a.json", "{\n  \"a\": 1,\n}").unwrap_err();
        assert_eq!((json.line, json.file.as_deref()), (Some(3), Some("a.json")));
        let toml = parse_toml::<toml::Table>("BROKEN", "a.toml", "[project]\nname = \n").unwrap_err();
        assert_eq!((toml.line, toml.code.as_str()), (Some(2), "BROKEN"));
    }
}
