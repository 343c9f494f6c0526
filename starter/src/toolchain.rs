//! What the machine lacks for a build of cargo's. Asked when a build has failed, and only then: compilers say what is wrong with code well,
//! and what is wrong with a machine less so.

use std::{env, path::Path, process::Command};

use toml::Table;

const WORKSPACE: &str = include_str!("../../Cargo.toml");
/// Any of these links, unless somebody chose another one for cargo.
const LINKERS: [&str; 3] = ["cc", "gcc", "clang"];

/// What to do about the machine before anything is done about the code.
#[must_use]
pub fn lacking() -> Option<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(cargo).arg("--version").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    version.and_then(|version| outdated(&version)).or_else(|| {
        let search = env::var_os("PATH").unwrap_or_default();
        let has_linker = env::split_paths(&search).any(|place| has_one(&place));
        (!has_linker).then(|| "Rust needs a linker: `apt-get install gcc libc6-dev` on Debian or Ubuntu, then build again".to_owned())
    })
}

fn has_one(place: &Path) -> bool {
    LINKERS.iter().any(|linker| place.join(linker).is_file())
}

/// What `cargo --version` says, if that is too old for the crates that a project is written against.
fn outdated(version: &str) -> Option<String> {
    let found = version.split_whitespace().nth(1)?;
    let needed = needed();
    (numbers(found)? < numbers(&needed)?).then(|| format!("Rust {needed} or later is needed, and this is {found}: install it with rustup"))
}

fn needed() -> String {
    let workspace: Table = WORKSPACE.parse().unwrap_or_default();
    let package = workspace.get("workspace").and_then(|workspace| workspace.get("package"));
    package.and_then(|package| package.get("rust-version")).and_then(|version| version.as_str()).unwrap_or_default().to_owned()
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cargo_that_is_too_old_is_named_with_the_one_that_is_needed() {
        let said = outdated("cargo 1.65.0\n").unwrap();
        assert!(said.contains("1.65.0") && said.contains(&needed()) && said.contains("rustup"), "{said}");
        let newest = format!("cargo {}.0 (abc 2030-01-01)", needed());
        assert_eq!(outdated(&newest), None);
        assert_eq!(outdated("cargo 9.0.0-nightly"), None);
        assert_eq!(outdated("what is this"), None, "nobody is sent away for a version that cannot be read");
    }

    #[test]
    fn a_linker_is_looked_for_by_its_usual_names() {
        let place = tempfile::tempdir().unwrap();
        assert!(!has_one(place.path()));
        std::fs::write(place.path().join("clang"), "").unwrap();
        assert!(has_one(place.path()));
    }
}
