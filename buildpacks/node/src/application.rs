//! What is served, and from which package: the root, or the one package of its workspace that can be started.

use slipway_buildpack_sdk::{Command, Context, Diagnostic, Source, has_other_processes, info, shell};

use crate::{
    framework::{self, Framework},
    manifest::{self, FILE, Manifest},
    package_manager::Manager,
    serve::{self, Serve},
    workspaces,
};

pub struct Application {
    /// `None`: nothing says.
    pub serve: Option<Serve>,
    pub framework: Option<Framework>,
    /// Builds the chosen package, where the root has no script that does.
    pub build: Option<Command>,
    pub diagnostics: Vec<Diagnostic>,
}

/// A package that could be the application.
struct Package {
    dir: String,
    manifest: Manifest,
    framework: Option<Framework>,
    serve: Option<Serve>,
}

pub fn find(source: &Source, context: &Context, manifest: &Manifest, manager: &Manager) -> Application {
    let framework = framework::of(source, manifest);
    let serve = serve::find(source, context, manifest, manager);
    let mut found = Application { serve, framework, build: None, diagnostics: Vec::new() };
    if found.serve.is_none() && has_other_processes(source) {
        found.serve = Some(Serve::Nothing);
    }
    if found.serve.is_some() && found.framework.is_some() {
        return found;
    }
    let packages = packages(source, manifest, manager);
    if found.serve.is_none() {
        let startable: Vec<&Package> = packages.iter().filter(|package| package.serve.is_some()).collect();
        match &startable[..] {
            [only] => choose(&mut found, only, manager),
            _ => {
                let dirs = |packages: &[&Package]| packages.iter().map(|package| package.dir.clone()).collect::<Vec<_>>();
                let meant = if startable.is_empty() { dirs(&packages.iter().collect::<Vec<_>>()) } else { dirs(&startable) };
                found.diagnostics.push(serve::nothing_to_start(found.framework.as_ref(), &meant));
            }
        }
    }
    // The root of a workspace is of the framework that all its applications are of.
    if found.framework.is_none() {
        let mut frameworks = packages.iter().filter(|package| package.serve.is_some()).map(|package| package.framework);
        let first = frameworks.next().flatten();
        found.framework = first.filter(|first| frameworks.all(|other| other.is_some_and(|other| other.name == first.name)));
    }
    found
}

fn choose(found: &mut Application, package: &Package, manager: &Manager) {
    let dir = &package.dir;
    found.framework = package.framework;
    found.serve = package.serve.clone();
    if package.manifest.script("build").is_some() {
        found.build = Some(shell(format!("cd {dir} && {} run build", manager.kind.name())));
    }
    let message = format!("`{dir}` is what runs: it is the only package of this workspace that can be started.");
    found.diagnostics.push(info("NODE_WORKSPACE_APP", message, Some(FILE)));
}

fn packages(source: &Source, manifest: &Manifest, manager: &Manager) -> Vec<Package> {
    let dirs = workspaces::packages(source, manifest).into_iter().filter(|dir| is_plain(dir)).take(workspaces::MOST_PACKAGES);
    dirs.filter_map(|dir| {
        let below = source.below(&dir)?;
        let manifest = manifest::load(&below).ok().flatten()?;
        let framework = framework::of(&below, &manifest);
        let serve = serve::find(&below, &Context::default(), &manifest, manager).and_then(|serve| within(&dir, serve, &manifest));
        Some(Package { dir, manifest, framework, serve })
    })
    .collect()
}

/// A shell takes such a name as it is.
fn is_plain(dir: &str) -> bool {
    dir.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-@".contains(&byte)) && !dir.starts_with('-')
}

/// The same from the root. Files that only look like a start are a library's here.
fn within(dir: &str, serve: Serve, manifest: &Manifest) -> Option<Serve> {
    match serve {
        Serve::Process { command: Command::Argv(words), line, why: why @ "scripts.start" } => {
            Some(Serve::Process { command: shell(format!("cd {dir} && exec {}", words.join(" "))), line, why })
        }
        Serve::Static { dir: site, spa, why: why @ "the framework" } if manifest.script("build").is_some() => {
            Some(Serve::Static { dir: format!("{dir}/{site}"), spa, why })
        }
        _ => None,
    }
}
