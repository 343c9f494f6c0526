//! Which files an install needs to see: the manifests, and nothing that changes with every edit.

use slipway_buildpack_sdk::{Diagnostic, Source, info};

use crate::{
    glob,
    manifest::{self, FILE, Manifest},
};

const MANIFESTS: [&str; 18] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "bun.lock",
    "bun.lockb",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    ".yarn/releases",
    ".yarn/plugins",
    ".yarn/patches",
    ".yarn/cache",
    "patches",
    "prisma",
];

/// Packages beyond these are not looked into.
pub const MOST_PACKAGES: usize = 200;

/// The inputs of the install, as paths and globs; empty: all of the source, with the reason as a diagnostic.
pub fn install_inputs(source: &Source, manifest: &Manifest) -> (Vec<String>, Vec<Diagnostic>) {
    if let Some(script) = install_script(source, manifest) {
        let message =
            format!("The script {script} runs on every install, so the install sees all of the source and is repeated after every change.");
        return (Vec::new(), vec![info("NODE_INSTALL_SEES_SOURCE", message, Some(FILE))]);
    }
    let mut include: Vec<String> =
        MANIFESTS.into_iter().filter(|path| source.is_file(path) || source.is_dir(path)).map(str::to_owned).collect();
    for glob in manifest.workspaces().into_iter().chain(pnpm_workspaces(source)) {
        let glob = glob.trim_start_matches("./").trim_end_matches('/').to_owned();
        if !glob.starts_with('!') && !glob.is_empty() && !glob.split('/').any(|part| part == "..") && !glob.starts_with('/') {
            include.push(format!("{glob}/package.json"));
        }
    }
    for (_, version) in manifest.dependencies().chain(manifest.dev_dependencies()) {
        let Some(path) = ["file:", "link:", "portal:"].into_iter().find_map(|scheme| version.strip_prefix(scheme)) else { continue };
        let path = path.trim_start_matches("./").trim_end_matches('/');
        if source.is_dir(path) || source.is_file(path) {
            include.push(path.to_owned());
        } else if path.starts_with("vendor/") {
            // Composer brings it, and it is there where all of the source is.
            return (Vec::new(), Vec::new());
        }
    }
    include.sort();
    include.dedup();
    (include, Vec::new())
}

/// A script that runs on every install, of the root or of a package of its workspace.
pub fn install_script(source: &Source, manifest: &Manifest) -> Option<String> {
    if let Some(script) = manifest.install_script() {
        return Some(format!("`{script}`"));
    }
    packages(source, manifest).into_iter().take(MOST_PACKAGES).find_map(|dir| {
        let package = manifest::load(&source.below(&dir)?).ok().flatten()?;
        Some(format!("`{}` of `{dir}`", package.install_script()?))
    })
}

/// The directories of a workspace's packages.
pub fn packages(source: &Source, manifest: &Manifest) -> Vec<String> {
    let globs: Vec<String> = manifest.workspaces().into_iter().chain(pnpm_workspaces(source)).collect();
    if globs.is_empty() {
        return Vec::new();
    }
    glob::expand(source, &globs).into_iter().filter(|dir| source.is_file(&format!("{dir}/{FILE}"))).collect()
}

/// Whether there is more than one package.
pub fn has_workspaces(source: &Source, manifest: &Manifest) -> bool {
    !manifest.workspaces().is_empty() || !pnpm_workspaces(source).is_empty()
}

/// The `packages` list of `pnpm-workspace.yaml`, which is all of that file that matters here.
fn pnpm_workspaces(source: &Source) -> Vec<String> {
    let Some(text) = source.peek("pnpm-workspace.yaml") else { return Vec::new() };
    text.lines()
        .skip_while(|line| !line.starts_with("packages:"))
        .skip(1)
        .map_while(|line| {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with('#') {
                return Some(None);
            }
            line.strip_prefix('-').map(|glob| Some(glob.trim().trim_matches(['\'', '"']).to_owned()))
        })
        .flatten()
        .collect()
}
