//! A root without a package.json whose packages lie below it: as Rush keeps them, or side by side without anything that says so.

use slipway_buildpack_sdk::{Base, Fragment, Image, Layer, Source};

use crate::{
    detect::{OTHER_LANGUAGES, UNKNOWN_LANGUAGES},
    manifest::FILE,
    serve, static_site,
    steps::{APP, USER},
    version,
};

/// Each of these files says that the root is of several packages.
const TOOLS: [&str; 5] = ["rush.json", "nx.json", "lerna.json", "turbo.json", "pnpm-workspace.yaml"];
/// Directories that hold packages and are none themselves.
const GROUPS: [&str; 6] = ["apps", "packages", "services", "projects", "libs", "libraries"];

pub struct Members {
    /// The file or directory that gives it away.
    pub evidence: String,
    pub dirs: Vec<String>,
}

/// The packages, where a tool's file names the root as theirs, or where there are several and nothing of another language.
pub fn find(source: &Source) -> Option<Members> {
    let dirs = source.directories(&GROUPS);
    let holds = |dir: &String, file: &str| source.is_file(&format!("{dir}/{file}"));
    let packages: Vec<String> = dirs.iter().filter(|dir| holds(dir, FILE)).cloned().collect();
    if let Some(tool) = source.first_file(&TOOLS) {
        return Some(Members { evidence: tool.to_owned(), dirs: packages });
    }
    let mut foreign = OTHER_LANGUAGES.iter().chain(&UNKNOWN_LANGUAGES).chain(&["Dockerfile"]);
    let is_alone = packages.len() > 1 && !foreign.any(|file| dirs.iter().any(|dir| !packages.contains(dir) && holds(dir, file)));
    is_alone.then(|| Members { evidence: packages[0].clone(), dirs: packages })
}

/// Nothing is built: the plan only names the packages of which one is meant.
pub fn plan(members: &Members) -> Fragment {
    let layer =
        Layer { origin: "source".into(), path: ".".into(), dest: APP.into(), include: Vec::new(), exclude: static_site::not_served() };
    Fragment {
        tools: vec![version::default()],
        image: Some(Image {
            base: Base::Tool("node".into()),
            packages: Vec::new(),
            layers: vec![layer],
            files: Vec::new(),
            env: Vec::new(),
            workdir: APP.into(),
            user: USER.into(),
        }),
        diagnostics: vec![serve::nothing_to_start(None, &members.dirs)],
        ..Fragment::default()
    }
}
