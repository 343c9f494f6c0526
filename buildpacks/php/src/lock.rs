//! `composer.lock`: what it says of PHP and its extensions, and whether it still belongs to `composer.json`.

use serde::Deserialize;
use serde_json::Value;
use slipway_buildpack_sdk::{Refusal, Source, refuse};
use slipway_constraint_composer::{Constraint, version};

use crate::composer::{self, Composer, parse};

pub const FILE: &str = "composer.lock";

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Lock {
    #[serde(default)]
    packages: Vec<Package>,
    /// An object, or PHP's empty array.
    #[serde(default)]
    platform: Value,
}

#[derive(Debug, Clone, Deserialize)]
struct Package {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: Value,
    #[serde(default)]
    require: Value,
    #[serde(default)]
    replace: Value,
    #[serde(default)]
    provide: Value,
}

/// The lock, where there is one of a size that is read.
pub fn load(source: &Source) -> Result<Option<Lock>, Refusal> {
    match source.peek(FILE) {
        Some(text) if text.trim().is_empty() => Err(refuse("PHP_LOCKFILE_INVALID", "`composer.lock` is empty.")
            .at(FILE)
            .line(1)
            .fix("Run `composer update --lock` and commit the composer.lock that it writes.")),
        Some(text) => {
            let keys: Value = parse("PHP_LOCKFILE_INVALID", FILE, &text)?;
            // Without `packages` it locks nothing, and Composer takes it for absent.
            if keys.get("packages").is_none() {
                return Ok(None);
            }
            parse("PHP_LOCKFILE_INVALID", FILE, &text).map(Some)
        }
        None => Ok(None),
    }
}

impl Lock {
    /// Refuses what `composer install` would refuse: a required package that is not locked, or in a version that is no longer
    /// wanted.
    pub fn check(&self, composer: &Composer) -> Result<(), Refusal> {
        let stale = |message: String| {
            refuse("PHP_LOCKFILE_STALE", message)
                .at(FILE)
                .fix("Run `composer update --lock`, or `composer update` for the packages named, and commit composer.lock.")
        };
        let wanted: Vec<(&str, &str)> = composer.requires().filter(|(name, _)| name.contains('/')).collect();
        let missing: Vec<_> = wanted.iter().filter(|(name, _)| !self.brings(name)).map(|(name, _)| format!("`{name}`")).collect();
        if !missing.is_empty() {
            return Err(stale(format!("composer.json requires {}, which composer.lock does not hold.", missing.join(", "))));
        }
        for (name, text) in wanted {
            let locked = self.packages.iter().find(|package| package.name.eq_ignore_ascii_case(name));
            let Some(found) = locked.and_then(|package| package.version.as_str()) else { continue };
            // Stability flags, branches and aliases have rules of their own, which Composer itself applies.
            let is_plain = !text.contains(['@', '#', '-']) && !text.contains(" as ");
            if let (true, Some(constraint), Some(version)) = (is_plain, Constraint::parse(text), version(found))
                && !constraint.allows(version)
            {
                return Err(stale(format!("composer.json requires `{name}` {text}, but composer.lock holds {found}.")));
            }
        }
        Ok(())
    }

    fn brings(&self, name: &str) -> bool {
        let stands_in = |list: &Value| list.as_object().is_some_and(|list| list.keys().any(|key| key.eq_ignore_ascii_case(name)));
        self.packages
            .iter()
            .any(|package| package.name.eq_ignore_ascii_case(name) || stands_in(&package.replace) || stands_in(&package.provide))
    }

    pub fn has(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }

    /// What the application itself wanted of PHP when the lock was written.
    pub fn platform_php(&self) -> Option<&str> {
        self.platform.get("php")?.as_str()
    }

    /// Who of the locked packages wants which PHP.
    pub fn php_constraints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.packages.iter().filter_map(|package| Some((package.name.as_str(), package.require.get("php")?.as_str()?)))
    }

    /// Names after `ext-` that the application or a locked package requires and no locked package stands in for.
    pub fn extensions(&self) -> impl Iterator<Item = String> {
        let lists = std::iter::once(&self.platform).chain(self.packages.iter().map(|package| &package.require));
        let names = lists.filter_map(Value::as_object).flat_map(|list| list.keys());
        names.filter(|name| !self.is_stood_in_for(name)).filter_map(|name| composer::extension(name))
    }

    fn is_stood_in_for(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.provide.get(name).is_some() || package.replace.get(name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stale(lock: &str, manifest: &str) -> Option<String> {
        let lock: Lock = serde_json::from_str(lock).unwrap();
        lock.check(&Composer::from_text(manifest).unwrap()).err().map(|refusal| refusal.message)
    }

    #[test]
    fn a_required_package_is_locked_replaced_or_provided() {
        let lock =
            r#"{"packages": [{"name": "a/b", "version": "v1.2.0", "require": [], "replace": {"a/c": "1"}, "provide": {"a/log": "1"}}]}"#;
        assert_eq!(stale(lock, r#"{"require": {"php": "^8", "ext-intl": "*", "A/b": "^1.0", "a/c": "*", "a/log": "*"}}"#), None);
        assert_eq!(
            stale(lock, r#"{"require": {"a/d": "*", "a/b": "*", "a/e": "*"}}"#).unwrap(),
            "composer.json requires `a/d`, `a/e`, which composer.lock does not hold."
        );
    }

    #[test]
    fn a_locked_version_is_one_that_is_still_wanted() {
        let lock = r#"{"packages": [{"name": "a/b", "version": "1.2.0"}, {"name": "a/c", "version": "dev-main"}]}"#;
        assert_eq!(stale(lock, r#"{"require": {"a/b": "^1.0", "a/c": "^3"}}"#), None);
        assert_eq!(stale(lock, r#"{"require": {"a/b": "^2.0@dev"}}"#), None);
        assert_eq!(
            stale(lock, r#"{"require": {"a/b": "^2.0"}}"#).unwrap(),
            "composer.json requires `a/b` ^2.0, but composer.lock holds 1.2.0."
        );
    }
}
