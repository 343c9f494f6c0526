//! The version of the package manager: what is stated, else what wrote the lockfile, so that it can be used as it is.

use slipway_buildpack_sdk::{Diagnostic, Refusal, Source, refuse, warning};

use crate::{
    manager_choice::Statement,
    manifest::Manifest,
    package_manager::{Kind, Manager},
    range::Range,
};

/// The manager with its version, and without its lockfile where that one is of no use to it.
pub fn settle(
    source: &Source,
    manifest: &Manifest,
    kind: Kind,
    statement: Option<Statement>,
    lockfile: Option<&'static str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Manager, Refusal> {
    let engine = engine(manifest, kind)?;
    let stated = statement.and_then(|statement| Some((statement.version?, statement.keys)));
    if let (Some((version, keys)), Some((text, range))) = (&stated, &engine)
        && kind != Kind::Bun
        && Range::parse(version).is_some_and(|version| !version.meets(range))
    {
        let name = kind.name();
        let message =
            format!("`{}` asks for {name} {version}, but `engines.{name}` for `{text}`, and {name} holds to both.", keys.join("."));
        return Err(manifest
            .refuse(&["engines", name], "NODE_PACKAGE_MANAGER_CONTRADICTS_ENGINES", message)
            .fix("Correct one of the two."));
    }
    let mut lockfile = lockfile;
    let wanted = stated
        .map(|(version, _)| version)
        .or_else(|| manifest.text(&["volta", kind.name()]).filter(|version| Range::parse(version).is_some()).map(str::to_owned));
    let kind = match kind {
        Kind::Yarn1 | Kind::YarnBerry => {
            let first = wanted.as_deref().and_then(Range::parse).or_else(|| engine.as_ref().map(|(_, range)| range.clone()));
            let yarn = Yarn { source, lockfile: lockfile.is_some(), asked: first };
            yarn.check(manifest)?;
            if yarn.is_berry() && lockfile.is_some() && !yarn.lockfile_is_berry() {
                let message = "yarn.lock is of Yarn 1, but this application uses a later Yarn, which rewrites it on every install. Run \
                               `yarn install` and commit the result.";
                diagnostics.push(warning("NODE_LOCKFILE_OLD_FORMAT", message, lockfile));
                lockfile = None;
            }
            if yarn.is_berry() { Kind::YarnBerry } else { Kind::Yarn1 }
        }
        Kind::Npm => {
            // What npm wrote before its fifth version, or nothing at all: `npm ci` takes neither.
            lockfile = lockfile.filter(|file| {
                let start = source.peek_start(file, 65_536).unwrap_or_default();
                let (code, problem) = if !start.contains("\"lockfileVersion\"") {
                    ("NODE_LOCKFILE_OLD_FORMAT", "states no `lockfileVersion`, so the install cannot hold to it")
                } else if locks_nothing(&start) && manifest.dependencies().chain(manifest.dev_dependencies()).next().is_some() {
                    ("NODE_LOCKFILE_EMPTY", "locks no package at all, so it is left aside, and the next build may install other versions")
                } else {
                    return true;
                };
                diagnostics.push(warning(code, format!("`{file}` {problem}. Run `npm install` and commit the result."), Some(file)));
                false
            });
            kind
        }
        other => other,
    };
    let is_stated = wanted.is_some() || engine.is_some();
    let version = wanted.or_else(|| from_lockfile(source, kind, engine.as_ref()));
    if let (Kind::Pnpm | Kind::Npm, Some(version)) = (kind, version.as_deref())
        && Range::parse(version).is_some_and(|range| range.is_before(if kind == Kind::Pnpm { 3 } else { 5 }))
    {
        return Err(too_old(manifest, kind, version));
    }
    Ok(Manager { kind, version, is_stated, lockfile })
}

/// Whether it is the lockfile of a project without dependencies, which npm writes in a few lines.
fn locks_nothing(text: &str) -> bool {
    let Ok(lock) = serde_json::from_str::<serde_json::Value>(text) else { return false };
    let has = |key: &str| lock.get(key).and_then(|value| value.as_object()).is_some_and(|list| list.keys().any(|name| !name.is_empty()));
    lock.is_object() && !has("packages") && !has("dependencies")
}

/// `engines.yarn` and its like, where the manager itself holds to it: npm and Bun do not.
fn engine(manifest: &Manifest, kind: Kind) -> Result<Option<(String, Range)>, Refusal> {
    if kind == Kind::Npm {
        return Ok(None);
    }
    let name = kind.name();
    let Some(text) = manifest.engine(name) else { return Ok(None) };
    match Range::parse(text) {
        Some(range) if kind == Kind::Yarn1 && is_yarn_too_old(&range) => Err(too_old(manifest, kind, text)),
        Some(range) if !range.is_empty() => Ok(Some((text.to_owned(), range))),
        _ if kind == Kind::Bun => Ok(None),
        _ => Err(manifest
            .refuse(&["engines", name], "NODE_PACKAGE_MANAGER_INVALID", format!("`engines.{name}` is `{text}`, which no {name} fulfils."))
            .fix(format!(
                "Write a version or a range, such as `{}`, or remove the line.",
                if kind == Kind::Pnpm { ">=9" } else { "1.22.x" }
            ))),
    }
}

/// Before 0.17, Yarn had no frozen installs; after 0.28 came 1.0.
fn is_yarn_too_old(range: &Range) -> bool {
    let usable = Range::parse("0.17 - 0.28 || >=1");
    !range.is_empty() && usable.is_some_and(|usable| !usable.meets(range))
}

fn too_old(manifest: &Manifest, kind: Kind, version: &str) -> Refusal {
    let name = kind.name();
    manifest
        .refuse(
            &["engines", name],
            "NODE_PACKAGE_MANAGER_UNSUPPORTED",
            format!("{name} `{version}` cannot install from a lockfile as it is."),
        )
        .fix(format!("Ask for a version of {name} that is still made."))
}

/// The version that wrote the lockfile; the range of `engines` where that one would not do.
fn from_lockfile(source: &Source, kind: Kind, engine: Option<&(String, Range)>) -> Option<String> {
    let written = match kind {
        Kind::Npm => return None,
        Kind::Yarn1 | Kind::Bun => "1",
        Kind::YarnBerry => match lockfile_format(source, "yarn.lock", "  version:") {
            Some(4) => "2",
            Some(5 | 6) => "3",
            _ => "4",
        },
        Kind::Pnpm => match lockfile_format(source, "pnpm-lock.yaml", "lockfileVersion:") {
            Some(5) => "7",
            Some(6) => "8",
            _ => "9",
        },
    };
    match engine {
        Some((text, range)) if !Range::parse(written).is_some_and(|written| range.holds_newest_of(&written)) => Some(text.clone()),
        _ => Some(written.to_owned()),
    }
}

/// The first number on the line of a lockfile that states its format.
fn lockfile_format(source: &Source, file: &str, key: &str) -> Option<u32> {
    let start = source.peek_start(file, 4096)?;
    let format = start.lines().find_map(|line| line.strip_prefix(key))?;
    format.trim().trim_matches(['\'', '"']).split('.').next()?.parse().ok()
}

/// Which of the two Yarns, which have little in common.
struct Yarn<'a> {
    source: &'a Source,
    lockfile: bool,
    /// What the manifest asks for.
    asked: Option<Range>,
}

impl Yarn<'_> {
    fn lockfile_is_berry(&self) -> bool {
        self.lockfile && self.source.peek_start("yarn.lock", 4096).is_some_and(|start| start.contains("__metadata:"))
    }

    /// `yarnPath` of `.yarnrc.yml`: a Yarn that is kept with the application, to which any other one hands over.
    fn own_release(&self) -> Option<String> {
        let text = self.source.peek(".yarnrc.yml")?;
        let path = text.lines().find_map(|line| line.strip_prefix("yarnPath:"))?;
        Some(path.trim().trim_matches(['\'', '"']).trim_start_matches("./").to_owned()).filter(|path| !path.is_empty())
    }

    fn asks_for_first(&self) -> bool {
        self.asked.as_ref().is_some_and(|range| range.is_before(2))
    }

    fn is_berry(&self) -> bool {
        if self.own_release().is_some() || self.lockfile_is_berry() {
            return true;
        }
        let first = Range::parse("1");
        match (&self.asked, first) {
            (Some(asked), Some(first)) if !asked.meets(&first) => true,
            (Some(_), _) if self.asks_for_first() => false,
            _ => !self.lockfile && self.source.is_file(".yarnrc.yml"),
        }
    }

    fn check(&self, manifest: &Manifest) -> Result<(), Refusal> {
        if let Some(path) = self.own_release() {
            if self.source.is_file(&path) {
                return Ok(());
            }
            return Err(refuse("NODE_YARN_RELEASE_MISSING", format!("`.yarnrc.yml` names `{path}` as the Yarn to use, which is not in the source."))
                .at(".yarnrc.yml")
                .fix("Commit that file (`.yarn/releases` may be listed in .gitignore), or remove `yarnPath` and name the version as `packageManager` in package.json."));
        }
        if self.lockfile_is_berry() && self.asks_for_first() {
            let keys: &[&str] = if manifest.has(&["packageManager"]) { &["packageManager"] } else { &["engines", "yarn"] };
            return Err(manifest
                .refuse(keys, "NODE_LOCKFILE_CONTRADICTS_MANAGER", format!("`{}` asks for Yarn 1, which cannot read this yarn.lock: a later Yarn wrote it.", keys.join(".")))
                .fix("Name the Yarn that wrote the lockfile as `packageManager` in package.json, such as `yarn@4.5.0`, or write the lockfile anew with Yarn 1."));
        }
        Ok(())
    }
}

/// The versions of Node that a major version of a manager runs on.
const RUNS_ON: [(&str, &str, &str); 13] = [
    ("npm", "<7", "*"),
    ("pnpm", "<6", "*"),
    ("yarn", "<2", "*"),
    ("npm", "7 - 8", ">=10"),
    ("npm", "9", "^14.17 || ^16.13 || >=18"),
    ("npm", "10", "^18.17 || >=20.5"),
    ("npm", "11", "^20.17 || >=22.9"),
    ("pnpm", "6", ">=12"),
    ("pnpm", "7", ">=14.6"),
    ("pnpm", "8", ">=16.14"),
    ("pnpm", "9 - 10", ">=18.12"),
    ("yarn", "2 - 3", ">=12"),
    ("yarn", ">=4", ">=18.12"),
];

/// Refuses a manager that does not run on any Node that the application allows. One that nobody asked for gives way.
pub fn fit_to_node(manifest: &Manifest, manager: &mut Manager, node: &Range, node_text: &str) -> Result<(), Refusal> {
    scopes(manifest, manager)?;
    let name = manager.kind.name();
    // npm comes with Node and is not replaced for the sake of `engines`, but who asks for both cannot have them.
    let engine = manifest.engine(name).filter(|_| manager.kind == Kind::Npm).map(str::to_owned);
    let Some(version) = manager.version.clone().or(engine) else { return Ok(()) };
    let Some(range) = Range::parse(&version).filter(|range| range.is_before(u64::MAX)) else { return Ok(()) };
    let known: Vec<_> = RUNS_ON
        .iter()
        .filter(|(known, ..)| *known == name)
        .filter_map(|(_, majors, needs)| Some((Range::parse(majors)?, Range::parse(needs)?, *needs)))
        .collect();
    let fitting: Vec<_> = known.iter().filter(|(majors, ..)| majors.meets(&range)).collect();
    let Some((_, _, needs)) = fitting.first() else { return Ok(()) };
    if fitting.iter().any(|(_, needed, _)| needed.meets(node)) {
        return Ok(());
    }
    if manager.version.is_some() && !manager.is_stated && manager.lockfile.is_none() {
        let older = if manager.kind == Kind::Pnpm { ["8", "7", "6"] } else { ["3", "3", "3"] };
        let runs = |major: &str| {
            Range::parse(major).is_some_and(|major| known.iter().any(|(majors, needed, _)| majors.meets(&major) && needed.meets(node)))
        };
        manager.version = older.into_iter().find(|major| runs(major)).map(str::to_owned).or(Some(version));
        return Ok(());
    }
    let keys: &[&str] = if manifest.has(&["packageManager"]) { &["packageManager"] } else { &["engines"] };
    Err(manifest
        .refuse(
            keys,
            "NODE_VERSIONS_CONTRADICT",
            format!("{name} {version} needs Node {needs}, but this application asks for Node {node_text}."),
        )
        .fix(format!("Ask for a newer Node, or for an older {name}.")))
}

/// npm knows the scopes of names, as in `@types/node`, since its second version. Who asks for an older one cannot have both.
fn scopes(manifest: &Manifest, manager: &Manager) -> Result<(), Refusal> {
    let Some(text) = manifest.engine("npm").filter(|_| manager.kind == Kind::Npm) else { return Ok(()) };
    let is_older = Range::parse(text).is_some_and(|range| !range.is_empty() && range.is_before(2));
    let scoped = manifest.dependencies().chain(manifest.dev_dependencies()).find(|(name, _)| name.starts_with('@'));
    let Some((name, _)) = scoped.filter(|_| is_older) else { return Ok(()) };
    let message = format!("`engines.npm` asks for npm `{text}`, which cannot install `{name}`: names with a scope came with npm 2.");
    Err(manifest.refuse(&["engines", "npm"], "NODE_VERSIONS_CONTRADICT", message).fix("Ask for a newer npm, or remove `engines.npm`."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_what_managers_run_on_is_two_ranges() {
        for (name, majors, needs) in RUNS_ON {
            assert!(Range::parse(majors).is_some() && Range::parse(needs).is_some(), "{name} {majors}");
        }
    }
}
