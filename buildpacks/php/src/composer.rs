//! `composer.json`, and which PHP it asks for.

use serde_json::{Map, Value};
use slipway_buildpack_sdk::{Refusal, Source, Tool, parse_json, refuse};

pub const FILE: &str = "composer.json";
const DEFAULT: &str = "8.2";

#[derive(Debug, Clone, Default)]
pub struct Composer {
    keys: Map<String, Value>,
}

pub fn load(source: &Source) -> Result<Option<Composer>, Refusal> {
    let Some(text) = source.read(FILE)? else { return Ok(None) };
    match parse_json::<Value>("PHP_MANIFEST_INVALID", FILE, &text)? {
        Value::Object(keys) => Ok(Some(Composer { keys })),
        _ => Err(refuse("PHP_MANIFEST_INVALID", "`composer.json` is not an object.")
            .at(FILE)
            .line(1)
            .fix("Write `{ ... }` in `composer.json`.")),
    }
}

impl Composer {
    /// A string at a path of keys.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let (last, parents) = path.split_last()?;
        let mut keys = &self.keys;
        for parent in parents {
            keys = keys.get(*parent)?.as_object()?;
        }
        keys.get(*last)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Names and constraints of `require`.
    pub fn requires(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keys
            .get("require")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or("*")))
    }

    pub fn uses(&self, package: &str) -> bool {
        self.requires().any(|(name, _)| name == package)
    }

    /// Whether anything but PHP itself and its extensions is required.
    pub fn has_packages(&self) -> bool {
        self.requires().any(|(name, _)| name.contains('/'))
    }

    /// Whether packages come from directories of the source.
    pub fn has_path_repositories(&self) -> bool {
        let repositories: Vec<&Value> = match self.keys.get("repositories") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(map)) => map.values().collect(),
            _ => Vec::new(),
        };
        repositories.iter().any(|repository| repository.get("type").and_then(Value::as_str) == Some("path"))
    }

    pub fn has_script(&self, name: &str) -> bool {
        self.keys.get("scripts").and_then(|scripts| scripts.get(name)).is_some()
    }
}

/// The constraint, from the first place that states one.
pub fn php_version(source: &Source, composer: Option<&Composer>) -> Result<Tool, Refusal> {
    let line = |file: &str| source.peek(file).and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned));
    let tool_versions = || {
        source.peek(".tool-versions")?.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("php")).then(|| words.next().map(str::to_owned))?
        })
    };
    let from = |path: &[&str]| composer.and_then(|composer| composer.text(path)).map(str::to_owned);
    let stated = [
        (from(&["config", "platform", "php"]), "composer.json#config.platform.php", FILE),
        (from(&["require", "php"]), "composer.json#require.php", FILE),
        (from(&["require", "php-64bit"]), "composer.json#require.php-64bit", FILE),
        (line(".php-version"), ".php-version", ".php-version"),
        (tool_versions(), ".tool-versions", ".tool-versions"),
    ];
    for (text, origin, file) in stated {
        let Some(constraint) = text else { continue };
        if !is_constraint(&constraint) {
            return Err(refuse("PHP_VERSION_INVALID", format!("`{constraint}` in {origin} is not a version or range of PHP."))
                .at(file)
                .fix("Write a version such as `8.2` or a range such as `^8.2`."));
        }
        return Ok(Tool { name: "php".into(), constraint, source: origin.into(), is_default: false });
    }
    Ok(Tool { name: "php".into(), constraint: DEFAULT.into(), source: String::new(), is_default: true })
}

/// The form of Composer's constraints; what they mean is for whoever resolves them.
fn is_constraint(text: &str) -> bool {
    text.split(['|', ',', ' ']).filter(|part| !part.is_empty() && *part != "-").all(|part| {
        let number = part.trim_start_matches(['>', '<', '=', '~', '^', '!', 'v']);
        number.is_empty()
            || number == "*"
            || (number.starts_with(|c: char| c.is_ascii_digit())
                && number.bytes().all(|b| b.is_ascii_alphanumeric() || b".*@-".contains(&b)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composer_constraints_are_known_from_other_words() {
        for good in ["^8.2", ">=8.1 <8.4", "^7.4|^8.0", "^7.4 || ^8.0", "8.2.*", "~8.1", "*", "8.1 - 8.3", ">= 8.0", "8.3.0-RC1"] {
            assert!(is_constraint(good), "{good}");
        }
        for bad in ["eight", "php8", "^x"] {
            assert!(!is_constraint(bad), "{bad}");
        }
    }
}
