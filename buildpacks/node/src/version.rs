//! Which Node the application wants.

use slipway_buildpack_sdk::{Refusal, Source, Tool, refuse};

use crate::manifest::{FILE, Manifest};

/// The line that a new application gets: active long-term support.
const DEFAULT: &str = "22";

/// The constraint, from the first place that states one.
pub fn constraint(source: &Source, manifest: &Manifest) -> Result<Tool, Refusal> {
    let stated = [
        (manifest.engine("node").map(str::to_owned), "package.json#engines.node", FILE),
        (manifest.text(&["devEngines", "runtime", "version"]).map(str::to_owned), "package.json#devEngines.runtime", FILE),
        (manifest.text(&["volta", "node"]).map(str::to_owned), "package.json#volta.node", FILE),
        (first_line(source, ".nvmrc"), ".nvmrc", ".nvmrc"),
        (first_line(source, ".node-version"), ".node-version", ".node-version"),
        (tool_versions(source), ".tool-versions", ".tool-versions"),
        (mise(source), "mise.toml", "mise.toml"),
    ];
    for (text, origin, file) in stated {
        let Some(text) = text else { continue };
        let Some(constraint) = normalize(&text) else {
            return Err(refuse("NODE_VERSION_INVALID", format!("`{text}` in {origin} is not a version or range of Node."))
                .at(file)
                .fix("Write a version such as `22` or a range such as `>=20 <23`."));
        };
        return Ok(Tool { name: "node".into(), constraint, source: origin.into(), is_default: false });
    }
    Ok(default())
}

pub fn default() -> Tool {
    Tool { name: "node".into(), constraint: DEFAULT.into(), source: String::new(), is_default: true }
}

fn first_line(source: &Source, file: &str) -> Option<String> {
    let text = source.peek(file)?;
    let line = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).find(|line| !line.is_empty())?;
    Some(line.to_owned())
}

fn tool_versions(source: &Source) -> Option<String> {
    source.peek(".tool-versions")?.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("nodejs" | "node")).then(|| words.next().map(str::to_owned))?
    })
}

fn mise(source: &Source) -> Option<String> {
    let text = source.peek("mise.toml").or_else(|| source.peek(".mise.toml"))?;
    let table: toml::Table = text.parse().ok()?;
    let tools = table.get("tools")?.as_table()?;
    match tools.get("node").or_else(|| tools.get("nodejs"))? {
        toml::Value::String(version) => Some(version.clone()),
        toml::Value::Table(table) => Some(table.get("version")?.as_str()?.to_owned()),
        _ => None,
    }
}

/// The names that version managers know, as what they stand for; ranges as they are; `None` for anything else.
fn normalize(text: &str) -> Option<String> {
    let text = text.trim();
    let named = match text.to_ascii_lowercase().as_str() {
        "node" | "latest" | "current" | "stable" | "x" => Some("*"),
        "lts" | "lts/*" | "--lts" => Some(DEFAULT),
        "lts/krypton" => Some("24"),
        "lts/jod" => Some("22"),
        "lts/iron" => Some("20"),
        "lts/hydrogen" => Some("18"),
        "lts/gallium" => Some("16"),
        "lts/fermium" => Some("14"),
        "lts/erbium" => Some("12"),
        "lts/dubnium" => Some("10"),
        "lts/carbon" => Some("8"),
        _ => None,
    };
    match named {
        Some(named) => Some(named.to_owned()),
        None => is_range(text).then(|| text.to_owned()),
    }
}

/// Whether the text has the form of an npm version range.
fn is_range(text: &str) -> bool {
    text.split("||").all(|part| {
        let spaced = part.replace(',', " ");
        let mut bare_operator = false;
        let sound = spaced.split_whitespace().all(|word| {
            if word == "-" {
                return true;
            }
            let number = word.trim_start_matches(['>', '<', '=', '~', '^']).trim_start_matches(['v', 'V']);
            bare_operator = number.is_empty();
            bare_operator || is_partial(number)
        });
        sound && !bare_operator
    })
}

/// `1`, `1.x`, `1.2.*`, `1.2.3-beta.1+build`.
fn is_partial(text: &str) -> bool {
    let (core, suffix) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let parts: Vec<&str> = core.split('.').collect();
    let sound = |part: &&str| matches!(*part, "x" | "X" | "*") || (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let suffix_sound = suffix.is_empty() || (suffix.len() > 1 && suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b)));
    parts.len() <= 3 && parts.iter().all(sound) && suffix_sound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npm_ranges_are_known_from_other_words() {
        for good in
            ["22", "v20.1.0", ">=18", ">= 18.0.0 < 23", "^20 || ^22", "20.x", "*", "", "18 - 20", "~16.3", "22.0.0-rc.1", ">=14,<17"]
        {
            assert!(is_range(good), "{good}");
        }
        for bad in ["iojs", "twenty", "20.1.2.3", "^", "18 >=", "1..2", "lts/unknown"] {
            assert!(!is_range(bad), "{bad}");
        }
    }

    #[test]
    fn names_of_release_lines_become_numbers() {
        assert_eq!(normalize("lts/Iron").as_deref(), Some("20"));
        assert_eq!(normalize("node").as_deref(), Some("*"));
        assert_eq!(normalize("iojs"), None);
    }
}
