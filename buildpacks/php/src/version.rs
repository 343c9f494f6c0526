//! Which PHP: what the application states, narrowed to what its locked packages run on.

use slipway_buildpack_sdk::{Diagnostic, Refusal, Source, Tool, refuse, warning};
use slipway_constraint_composer::{Constraint, NEWEST};

use crate::{
    composer::{self, Composer},
    lock::{self, Lock},
};

const DEFAULT: &str = "8.2";
const DEFAULT_MINOR: Minor = (8, 2);

type Minor = (u64, u64);

/// Every minor version there has been, and those that may follow.
fn minors() -> impl Iterator<Item = Minor> {
    [(5, 3..=6), (7, 0..=4), (8, 0..=9)].into_iter().flat_map(|(major, minors)| minors.map(move |minor| (major, minor)))
}

/// Those that nobody has any more, or yet: no runtime offers them, but to ask for one is no contradiction.
fn gone_and_to_come() -> impl Iterator<Item = Minor> {
    [(4, 0..=4), (5, 0..=2), (9, 0..=9)].into_iter().flat_map(|(major, minors)| minors.map(move |minor| (major, minor)))
}

/// Minor versions below this one get no security fixes any more.
const OLDEST_SUPPORTED: Minor = (8, 2);

struct Stated {
    text: String,
    origin: &'static str,
    file: &'static str,
}

pub fn php(source: &Source, composer: Option<&Composer>, lock: Option<&Lock>) -> Result<Tool, Refusal> {
    let Some(Stated { text, origin, file }) = stated(source, composer, lock) else {
        let all: Vec<Minor> = minors().collect();
        return Ok(match lock.and_then(|lock| narrowed(lock, &all).ok()) {
            Some(narrower) if !narrower.contains(&DEFAULT_MINOR) => {
                Tool { name: "php".into(), constraint: written(&narrower), source: format!("{}#packages", lock::FILE), is_default: false }
            }
            _ => Tool { name: "php".into(), constraint: DEFAULT.into(), source: String::new(), is_default: true },
        });
    };
    let invalid =
        |message: String| refuse("PHP_VERSION_INVALID", message).at(file).fix("Write a version such as `8.2` or a range such as `^8.2`.");
    let Some(constraint) = Constraint::parse(&text) else {
        return Err(invalid(format!("`{text}` in {origin} is not a version or range of PHP.")));
    };
    if !minors().chain(gone_and_to_come()).any(|minor| allows_some(&constraint, minor)) {
        return Err(invalid(format!("`{text}` in {origin} allows no version of PHP at all.")));
    }
    agrees_with_manifest(&text, origin, composer)?;
    let tool = Tool { name: "php".into(), constraint: text, source: origin.into(), is_default: false };
    let allowed: Vec<Minor> = minors().filter(|minor| allows(&constraint, *minor)).collect();
    // A platform that is stated for Composer is the one that the packages were chosen for.
    let Some(lock) = lock.filter(|_| !allowed.is_empty() && !origin.ends_with("platform.php")) else { return Ok(tool) };
    let narrower = narrowed(lock, &allowed).map_err(|(package, wanted)| {
        refuse(
            "PHP_VERSION_CONTRADICTION",
            format!("{origin} asks for PHP `{}`, but `{package}` in composer.lock for `{wanted}`.", tool.constraint),
        )
        .at(lock::FILE)
        .fix(format!(
            "Run `composer update {package} --with-dependencies` on a PHP of `{}`, or correct the version in {file}.",
            tool.constraint
        ))
    })?;
    if narrower == allowed {
        return Ok(tool);
    }
    Ok(Tool { constraint: written(&narrower), source: format!("{origin} and {}", lock::FILE), ..tool })
}

/// A warning where nothing that still gets security fixes is allowed.
pub fn end_of_life(tool: &Tool) -> Option<Diagnostic> {
    let constraint = Constraint::parse(&tool.constraint)?;
    let newest = minors().filter(|minor| allows_some(&constraint, *minor)).last()?;
    let file = tool.source.split(['#', ' ']).next().filter(|file| !file.is_empty());
    let message = || {
        let (major, minor) = newest;
        format!("PHP {major}.{minor} gets no security fixes any more. Allow a newer one, and run `composer update` on it.")
    };
    (newest < OLDEST_SUPPORTED).then(|| warning("PHP_END_OF_LIFE", message(), file))
}

/// The first place that states a version.
fn stated(source: &Source, composer: Option<&Composer>, lock: Option<&Lock>) -> Option<Stated> {
    let from = |path: &[&str]| composer.and_then(|composer| composer.text(path)).map(str::to_owned);
    let version_file = || {
        let text = source.peek(".php-version")?;
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
        Some(line.strip_prefix("php-").unwrap_or(line).to_owned())
    };
    let tool_versions = || {
        source.peek(".tool-versions")?.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("php")).then(|| words.next().map(str::to_owned))?
        })
    };
    let places = [
        (from(&["config", "platform", "php"]), "composer.json#config.platform.php", composer::FILE),
        (from(&["require", "php"]), "composer.json#require.php", composer::FILE),
        (from(&["require", "php-64bit"]), "composer.json#require.php-64bit", composer::FILE),
        (lock.and_then(Lock::platform_php).map(str::to_owned), "composer.lock#platform.php", lock::FILE),
        (version_file(), ".php-version", ".php-version"),
        (tool_versions(), ".tool-versions", ".tool-versions"),
    ];
    places.into_iter().find_map(|(text, origin, file)| Some(Stated { text: text?, origin, file }))
}

/// Composer compares the platform that is stated for it with what is required, before it installs anything.
fn agrees_with_manifest(text: &str, origin: &str, composer: Option<&Composer>) -> Result<(), Refusal> {
    if origin != "composer.json#config.platform.php" {
        return Ok(());
    }
    let Some(required) = composer.and_then(|composer| composer.text(&["require", "php"])) else { return Ok(()) };
    match (slipway_constraint_composer::version(text), Constraint::parse(required)) {
        (Some(version), Some(constraint)) if !constraint.allows(version) => {
            Err(refuse("PHP_VERSION_CONTRADICTION", format!("`config.platform.php` is {text}, but `require.php` is `{required}`."))
                .at(composer::FILE)
                .fix("Make both name the same PHP, or remove `config.platform.php`."))
        }
        _ => Ok(()),
    }
}

/// Those of the minor versions on which every locked package runs, or the first package that leaves none.
fn narrowed<'a>(lock: &'a Lock, allowed: &[Minor]) -> Result<Vec<Minor>, (&'a str, &'a str)> {
    let mut left = allowed.to_vec();
    for (package, text) in lock.php_constraints() {
        let Some(constraint) = Constraint::parse(text) else { continue };
        left.retain(|minor| allows_some(&constraint, *minor));
        if left.is_empty() {
            return Err((package, text));
        }
    }
    Ok(left)
}

fn allows(constraint: &Constraint, (major, minor): Minor) -> bool {
    constraint.allows([major, minor, NEWEST])
}

fn allows_some(constraint: &Constraint, minor: Minor) -> bool {
    allows(constraint, minor) || (0..60).any(|patch| constraint.allows([minor.0, minor.1, patch]))
}

/// As Composer would write it.
fn written(minors: &[Minor]) -> String {
    let every: Vec<String> = minors.iter().map(|(major, minor)| format!("{major}.{minor}.*")).collect();
    every.join(" || ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(manifest: &str, lock: &str) -> Result<(String, String), String> {
        let empty = tempfile::tempdir().unwrap();
        let source = Source::open(empty.path(), ".").unwrap();
        let composer = Composer::from_text(manifest).unwrap();
        let lock: Lock = serde_json::from_str(lock).unwrap();
        php(&source, Some(&composer), Some(&lock)).map(|tool| (tool.constraint, tool.source)).map_err(|refusal| refusal.message)
    }

    fn locked(php: &str) -> String {
        format!(r#"{{"packages": [{{"name": "a/b", "require": {{"php": "{php}"}}}}], "platform": []}}"#)
    }

    #[test]
    fn a_range_is_narrowed_to_what_the_locked_packages_run_on() {
        let require = r#"{"require": {"php": "^8.1"}}"#;
        assert_eq!(tool(require, &locked(">=7.1 <8.2")).unwrap(), ("8.1.*".into(), "composer.json#require.php and composer.lock".into()));
        assert_eq!(tool(require, &locked("~8.1.0 || ~8.3.0")).unwrap().0, "8.1.* || 8.3.*");
        assert_eq!(tool(require, &locked(">=7.4")).unwrap(), ("^8.1".into(), "composer.json#require.php".into()));
        assert_eq!(tool("{}", &locked("^7.2")).unwrap().0, "7.2.* || 7.3.* || 7.4.*");
        assert_eq!(tool("{}", &locked("^8.0")).unwrap().0, "8.2");
    }

    #[test]
    fn versions_that_contradict_each_other_are_refused() {
        let refusal = tool(r#"{"require": {"php": "^8.3"}}"#, &locked("<8.2")).unwrap_err();
        assert_eq!(refusal, "composer.json#require.php asks for PHP `^8.3`, but `a/b` in composer.lock for `<8.2`.");
        let platform = tool(r#"{"require": {"php": "^8.1"}, "config": {"platform": {"php": "7.4.3"}}}"#, "{}").unwrap_err();
        assert_eq!(platform, "`config.platform.php` is 7.4.3, but `require.php` is `^8.1`.");
        let nothing = tool(r#"{"require": {"php": ">=8.3 <8.0"}}"#, "{}").unwrap_err();
        assert_eq!(nothing, "`>=8.3 <8.0` in composer.json#require.php allows no version of PHP at all.");
    }
}
