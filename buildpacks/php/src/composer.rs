//! `composer.json`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use slipway_buildpack_sdk::{Refusal, Source, parse_json, refuse};

pub const FILE: &str = "composer.json";

#[derive(Debug, Clone, Default)]
pub struct Composer {
    keys: Map<String, Value>,
}

/// The manifest; an empty file says as little as `{}`.
pub fn load(source: &Source) -> Result<Option<Composer>, Refusal> {
    source.read(FILE)?.map(|text| if text.trim().is_empty() { Ok(Composer::default()) } else { Composer::from_text(&text) }).transpose()
}

/// Parses one of Composer's files, with a word on what a merge leaves behind.
pub fn parse<T: DeserializeOwned>(code: &str, file: &str, text: &str) -> Result<T, Refusal> {
    if let Some(index) = text.lines().position(|line| line.starts_with("<<<<<<< ")) {
        return Err(refuse(code, format!("`{file}` holds the marks of a merge that was not finished."))
            .at(file)
            .line(index as u32 + 1)
            .fix(format!("Finish the merge in `{file}` and run `composer update --lock`.")));
    }
    parse_json(code, file, text)
}

/// The name after `ext-`, as PHP itself calls it.
pub fn extension(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("ext-").map(|name| if name == "zend-opcache" { "opcache".to_owned() } else { name.to_owned() })
}

impl Composer {
    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        match parse::<Value>("PHP_MANIFEST_INVALID", FILE, text)? {
            Value::Object(keys) => Ok(Self { keys }),
            _ => Err(refuse("PHP_MANIFEST_INVALID", "`composer.json` is not an object.")
                .at(FILE)
                .line(1)
                .fix("Write `{ ... }` in `composer.json`.")),
        }
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.keys.get(*first)?, |value, key| value.get(*key))
    }

    /// A string at a path of keys.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str().map(str::trim).filter(|text| !text.is_empty())
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

    /// Whether there is something for Composer to do: packages to fetch, or classes of the application's own to find.
    pub fn has_work(&self) -> bool {
        self.has_packages() || self.keys.get("autoload").and_then(Value::as_object).is_some_and(|autoload| !autoload.is_empty())
    }

    /// Whether anything but PHP itself and its extensions is required.
    pub fn has_packages(&self) -> bool {
        self.requires().any(|(name, _)| name.contains('/'))
    }

    /// What installing reads of the source beside the manifests: directories of packages that lie in it, as paths and globs. `None`: no
    /// telling, as with archives, manifests that are merged, and files that a scaffold copies.
    pub fn installed_directories(&self) -> Option<Vec<String>> {
        let repositories: Vec<&Value> = match self.keys.get("repositories") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(map)) => map.values().collect(),
            _ => Vec::new(),
        };
        let reads_more = self.at(&["extra", "merge-plugin"]).is_some()
            || self.at(&["extra", "drupal-scaffold", "file-mapping"]).is_some()
            || self.at(&["extra", "patches"]).is_some()
            || self.at(&["extra", "patches-file"]).is_some();
        let text = |repository: &Value, key: &str| repository.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut directories = Vec::new();
        for repository in repositories {
            match text(repository, "type").as_deref() {
                Some("artifact") => return None,
                Some("path") => directories.push(below(&text(repository, "url")?)?),
                _ => {}
            }
        }
        (!reads_more).then_some(directories)
    }

    pub fn has_script(&self, name: &str) -> bool {
        self.at(&["scripts", name]).is_some()
    }

    /// The `start` script as a command line: without Composer, which the image does not hold, and without calls of PHP
    /// methods, which only Composer can make.
    pub fn start_script(&self) -> Option<String> {
        let lines: Vec<&str> = match self.at(&["scripts", "start"])? {
            Value::String(line) => vec![line.as_str()],
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        let lines: Vec<String> = lines
            .into_iter()
            .filter(|line| !line.contains("::"))
            .map(|line| line.strip_prefix("@php ").map_or_else(|| line.trim().to_owned(), |rest| format!("php {}", rest.trim())))
            .filter(|line| !line.is_empty())
            .collect();
        let is_plain = !lines.is_empty() && lines.iter().all(|line| !line.starts_with(['@', '\\']));
        is_plain.then(|| lines.join(" && "))
    }
}

/// A path or glob that stays below the application's root and holds nothing but what every reader of globs understands alike.
fn below(url: &str) -> Option<String> {
    let path = url.trim_start_matches("./").trim_end_matches('/');
    let is_plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./*@".contains(&b));
    let is_below = !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (is_plain && is_below).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_script_is_run_without_composer() {
        let start = |script: &str| Composer::from_text(&format!(r#"{{"scripts": {{"start": {script}}}}}"#)).unwrap().start_script();
        assert_eq!(start(r#"["Composer\\Config::disableProcessTimeout", "@php bin/server.php"]"#).as_deref(), Some("php bin/server.php"));
        assert_eq!(start(r#""php bin/server.php start""#).as_deref(), Some("php bin/server.php start"));
        assert_eq!((start(r#""@serve""#), start("[]"), start("{}")), (None, None, None));
    }

    #[test]
    fn an_install_sees_the_packages_that_lie_in_the_source_and_no_more() {
        let of = |keys: &str| Composer::from_text(&format!("{{{keys}}}")).unwrap().installed_directories();
        assert_eq!(of(r#""repositories": [{"type": "vcs", "url": "x"}, {"packagist.org": false}]"#), Some(vec![]));
        assert_eq!(of(r#""repositories": {"own": {"type": "path", "url": "./packages/*"}}"#), Some(vec!["packages/*".into()]));
        assert_eq!(of(r#""repositories": [{"type": "path", "url": "../shared"}]"#), None);
        assert_eq!(of(r#""repositories": [{"type": "artifact", "url": "archives"}]"#), None);
        assert_eq!(of(r#""extra": {"patches": {}}"#), None);
    }

    #[test]
    fn an_unfinished_merge_is_refused_by_its_line() {
        let refusal = Composer::from_text("{\n<<<<<<< HEAD\n}").unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.line), ("PHP_MANIFEST_INVALID", Some(2)));
    }
}
