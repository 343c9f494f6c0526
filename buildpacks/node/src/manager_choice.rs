//! Which package manager the application is installed with, and which version of it. What is stated decides; lockfiles are what
//! it is read from otherwise, and where they contradict each other, other traces of a manager.

use slipway_buildpack_sdk::{Diagnostic, Refusal, Source, refuse, warning};

use crate::{
    lockfile, manager_version,
    manifest::{FILE, Manifest},
    package_manager::{Kind, Manager},
    range::Range,
};

/// From the strongest; npm itself prefers a shrinkwrap.
const LOCKFILES: [(&str, Kind); 6] = [
    ("npm-shrinkwrap.json", Kind::Npm),
    ("package-lock.json", Kind::Npm),
    ("yarn.lock", Kind::Yarn1),
    ("pnpm-lock.yaml", Kind::Pnpm),
    ("bun.lock", Kind::Bun),
    ("bun.lockb", Kind::Bun),
];

/// What a manifest may call the managers.
const NAMES: [(&str, Kind); 4] = [("npm", Kind::Npm), ("yarn", Kind::Yarn1), ("pnpm", Kind::Pnpm), ("bun", Kind::Bun)];

/// A statement of the manifest, and the keys that make it.
pub struct Statement {
    pub kind: Kind,
    /// Something that npm can install; `None`: any.
    pub version: Option<String>,
    pub keys: &'static [&'static str],
}

/// The manager, and what to tell the customer about the choice.
pub fn choose(source: &Source, manifest: &Manifest) -> Result<(Manager, Vec<Diagnostic>), Refusal> {
    let mut diagnostics = Vec::new();
    let found: Vec<(&'static str, Kind)> = LOCKFILES.into_iter().filter(|(file, _)| source.is_file(file)).collect();
    let statement = stated(manifest, &mut diagnostics)?;
    let kind = match (&statement, found.first()) {
        (Some(statement), _) => statement.kind,
        (None, Some((_, first))) if found.iter().all(|(_, kind)| kind == first) => *first,
        (None, Some(_)) => decide(source, manifest, &found)?,
        (None, None) => by_traces(source, manifest).unwrap_or(Kind::Npm),
    };
    let unused: Vec<_> = found.iter().filter(|(_, other)| *other != kind).map(|(file, _)| format!("`{file}`")).collect();
    if !unused.is_empty() {
        let why = statement
            .as_ref()
            .map_or_else(|| "other files of this application".to_owned(), |stated| format!("`{}`", stated.keys.join(".")));
        let message = format!("{} is left aside: {why} say {}.", unused.join(" and "), kind.name()).replace("` say", "` says");
        diagnostics.push(warning("NODE_LOCKFILE_UNUSED", message, Some(FILE)));
    }
    if let Some(stated) = &statement {
        diagnostics.extend(other_engine(manifest, stated));
    }
    let lockfile = found.iter().find(|(_, other)| *other == kind).map(|(file, _)| *file);
    let manager = manager_version::settle(source, manifest, kind, statement, lockfile, &mut diagnostics)?;
    if let Some(file) = manager.lockfile {
        lockfile::check(source, manifest, manager.kind, file)?;
    }
    Ok((manager, diagnostics))
}

/// `engines` of another manager than the stated one. npm is left out: it is always there.
fn other_engine(manifest: &Manifest, stated: &Statement) -> Option<Diagnostic> {
    let is_asked = |name: &str| manifest.engine(name).is_some_and(|range| Range::parse(range).is_some());
    let (name, _) = NAMES.into_iter().find(|(name, kind)| *kind != Kind::Npm && *kind != stated.kind && is_asked(name))?;
    let message =
        format!("`engines.{name}` asks for {name}, but `{}` for {}, which is what is used.", stated.keys.join("."), stated.kind.name());
    let line = manifest.line(&["engines", name]);
    Some(Diagnostic { line, ..warning("NODE_PACKAGE_MANAGERS_DISAGREE", message, Some(FILE)) })
}

/// `packageManager`, else `devEngines.packageManager`.
fn stated(manifest: &Manifest, diagnostics: &mut Vec<Diagnostic>) -> Result<Option<Statement>, Refusal> {
    let development = development(manifest)?;
    let Some(statement) = declared(manifest)? else { return Ok(development) };
    if let Some(other) = development.filter(|other| other.kind != statement.kind) {
        let message = format!(
            "`devEngines.packageManager` names {}, but `packageManager` {}, which is what is used.",
            other.kind.name(),
            statement.kind.name()
        );
        let line = manifest.line(other.keys);
        diagnostics.push(Diagnostic { line, ..warning("NODE_PACKAGE_MANAGERS_DISAGREE", message, Some(FILE)) });
    }
    Ok(Some(statement))
}

/// `packageManager`, such as `pnpm@9.1.0+sha512.…`.
fn declared(manifest: &Manifest) -> Result<Option<Statement>, Refusal> {
    let keys: &[&str] = &["packageManager"];
    let Some(text) = manifest.text(keys) else { return Ok(None) };
    let (name, version) = text.split_once('@').unwrap_or((text, ""));
    let invalid = |problem: &str| {
        Err(manifest
            .refuse(keys, "NODE_PACKAGE_MANAGER_INVALID", format!("`packageManager` is `{text}`, {problem}."))
            .fix("Write a name and an exact version, such as `pnpm@9.15.0`; npm, yarn, pnpm and bun are known."))
    };
    let Some(kind) = kind_named(name) else { return invalid("which names no package manager known here") };
    // An archive by its address stands for some version; which one, its name does not have to tell.
    let version = if version.contains("://") { "" } else { version.split('+').next().unwrap_or_default() };
    let version = match version {
        "" | "latest" | "*" => None,
        "berry" | "stable" | "canary" if kind == Kind::Yarn1 => Some("4".to_owned()),
        "classic" if kind == Kind::Yarn1 => Some("1".to_owned()),
        version if Range::parse(version).is_some_and(|range| !range.is_empty()) => Some(version.trim_start_matches('v').to_owned()),
        _ => return invalid("whose version is none"),
    };
    Ok(Some(Statement { kind, version, keys }))
}

/// The first manager known here that `devEngines.packageManager` names.
fn development(manifest: &Manifest) -> Result<Option<Statement>, Refusal> {
    let keys: &[&str] = &["devEngines", "packageManager"];
    let found = manifest.dev_engines("packageManager").into_iter().find_map(|(name, version)| Some((kind_named(name)?, version)));
    let Some((kind, version)) = found else { return Ok(None) };
    if let Some(version) = version
        && Range::parse(version).is_none_or(|range| range.is_empty())
    {
        let message = format!("`devEngines.packageManager` asks for {} `{version}`, which is no version or range.", kind.name());
        return Err(manifest
            .refuse(keys, "NODE_PACKAGE_MANAGER_INVALID", message)
            .fix("Write a version such as `9.15.0` or a range such as `^9.15.0`."));
    }
    Ok(Some(Statement { kind, version: version.map(str::to_owned), keys }))
}

fn kind_named(name: &str) -> Option<Kind> {
    NAMES.into_iter().find(|(known, _)| *known == name.trim()).map(|(_, kind)| kind)
}

/// Among lockfiles of several managers: the one that everything else points to.
fn decide(source: &Source, manifest: &Manifest, found: &[(&'static str, Kind)]) -> Result<Kind, Refusal> {
    let has = |kind: Kind| found.iter().any(|(_, known)| *known == kind);
    // Bun writes a `yarn.lock` beside its own file where it is asked to, for tools that cannot read that one.
    if has(Kind::Bun) && found.iter().all(|(_, kind)| matches!(kind, Kind::Bun | Kind::Yarn1)) {
        return Ok(Kind::Bun);
    }
    if let Some(kind) = by_traces(source, manifest).filter(|kind| has(*kind)) {
        return Ok(kind);
    }
    let [(first, kind), rest @ ..] = found else { return Ok(Kind::Npm) };
    let second = rest.iter().find(|(_, other)| other != kind).map_or(*first, |(second, _)| *second);
    Err(refuse(
        "NODE_LOCKFILES_CONFLICT",
        format!("`{first}` and `{second}` come from different package managers, and nothing says which is right."),
    )
    .at(second)
    .fix("Delete the lockfile of the package manager that is not used, or name the right one as `packageManager` in package.json."))
}

/// The one manager that the application shows traces of; `None` when there are none, or of several.
fn by_traces(source: &Source, manifest: &Manifest) -> Option<Kind> {
    if let Some(kind) = only_allowed(manifest) {
        return Some(kind);
    }
    let files: [(&[&str], Kind); 3] = [
        (&["pnpm-workspace.yaml", ".pnpmfile.cjs"], Kind::Pnpm),
        (&[".yarnrc.yml", ".yarnrc"], Kind::Yarn1),
        (&["bunfig.toml"], Kind::Bun),
    ];
    let by_files = files.into_iter().filter(|(files, _)| source.first_file(files).is_some()).map(|(_, kind)| kind);
    // npm comes with Node, and many name the one they happen to have; whoever names another uses it.
    let others = NAMES.into_iter().filter(|(_, kind)| *kind != Kind::Npm);
    let by_keys = others.clone().filter(|(name, _)| {
        manifest.engine(name).is_some_and(|range| Range::parse(range).is_some()) || manifest.has(&["volta", name]) || manifest.has(&[name])
    });
    let by_scripts = others.filter(|(name, _)| manifest.scripts().any(|(_, line)| runs(line, name)));
    let mut kinds: Vec<Kind> = by_files.chain(by_keys.map(|(_, kind)| kind)).chain(by_scripts.map(|(_, kind)| kind)).collect();
    kinds.sort();
    kinds.dedup();
    <[Kind; 1]>::try_from(kinds).ok().map(|[kind]| kind)
}

/// `npx only-allow pnpm`, with which an application refuses every other manager itself.
fn only_allowed(manifest: &Manifest) -> Option<Kind> {
    manifest.scripts().find_map(|(_, line)| kind_named(line.split("only-allow ").nth(1)?.split_whitespace().next()?))
}

/// Whether a script runs a program by this name.
fn runs(line: &str, program: &str) -> bool {
    line.split(['&', '|', ';', '(', '"', '\'']).any(|part| part.split_whitespace().find(|word| !word.contains('=')) == Some(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_wherever_a_script_runs_it() {
        assert!(runs("yarn build", "yarn"));
        assert!(runs("tsc && CI=1 yarn build", "yarn"));
        assert!(!runs("node yarn.js", "yarn"));
    }
}
