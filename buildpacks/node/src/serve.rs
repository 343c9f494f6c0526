//! How the application answers requests: by a program, or as files.

use slipway_buildpack_sdk::{Command, Context, Diagnostic, Source, argv, shell, stated_start, warning};

use crate::{
    framework::{self, Framework, Output},
    manifest::{FILE, Manifest},
    package_manager::{Kind, Manager},
    start_script::is_development_server,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serve {
    Process {
        command: Command,
        /// The text that was found, to look for programs in.
        line: String,
        /// What it was found in.
        why: &'static str,
    },
    /// The files in `dir`, below the application's root, after the build if there is one.
    Static { dir: String, spa: bool, why: &'static str },
    /// Not at all: there are only processes that no visitor reaches.
    Nothing,
}

impl Serve {
    /// Files that are a site without a package.json that says so: those that a Staticfile names, of the root, or of a directory
    /// that is commonly served.
    pub fn is_bare_site(&self) -> bool {
        matches!(self, Self::Static { dir, why, .. } if *why == "Staticfile" || matches!(dir.as_str(), "." | "public" | "dist"))
    }
}

/// Files that are a server by their name.
const SERVER_FILES: [&str; 9] =
    ["server.js", "app.js", "index.js", "main.js", "server.mjs", "index.mjs", "src/server.js", "src/index.js", "src/app.js"];

/// The way to serve, or `None` when the tree does not tell.
pub fn find(source: &Source, context: &Context, manifest: &Manifest, manager: &Manager) -> Option<Serve> {
    if let Some(stated) = stated_start(source, context) {
        let why = if stated.file.is_some() { "Procfile" } else { "the settings" };
        return Some(Serve::Process { command: shell(&stated.command), line: stated.command, why });
    }
    let framework = framework::of(source, manifest);
    let builds = manifest.script("build").is_some() || context.build_command.is_some();
    if let Some(start) = manifest.script("start") {
        let own =
            framework.filter(|_| is_development_server(manifest, start)).and_then(|framework| by_framework(source, manifest, &framework));
        return own
            .or_else(|| Some(Serve::Process { command: manager.start_script("start"), line: start.to_owned(), why: "scripts.start" }));
    }
    if let Some(serve) = framework.and_then(|framework| by_framework(source, manifest, &framework)) {
        return Some(serve);
    }
    if let Some(serve) = server_file(source, manifest, manager) {
        return Some(serve);
    }
    if framework.is_some_and(|framework| builds && framework.is_server_library())
        && let Some(serve) = built_main(manifest, manager)
    {
        return Some(serve);
    }
    let built = ["dist", "build", "public", "out"].into_iter().find(|dir| builds && source.is_file(&format!("{dir}/index.html")));
    if let Some(dir) = built {
        return Some(Serve::Static { dir: dir.into(), spa: false, why: "index.html" });
    }
    bare_site(source)
}

/// `main`, or a file whose name says server.
fn server_file(source: &Source, manifest: &Manifest, manager: &Manager) -> Option<Serve> {
    let main = manifest.text(&["main"]).map(|main| main.trim_start_matches("./").to_owned());
    let main = main.into_iter().flat_map(|main| [main.clone(), format!("{main}.js"), format!("{}/index.js", main.trim_end_matches('/'))]);
    let bun = manager.kind == Kind::Bun;
    let typescript = ["index.ts", "server.ts", "src/index.ts"].into_iter().filter(|_| bun).map(str::to_owned);
    let file = main.chain(SERVER_FILES.map(str::to_owned)).chain(typescript).find(|file| source.is_file(file))?;
    let program = if bun { "bun" } else { "node" };
    Some(Serve::Process { command: argv([program, &file]), line: format!("{program} {file}"), why: "main" })
}

/// A `main` that only the build makes, as with TypeScript.
fn built_main(manifest: &Manifest, manager: &Manager) -> Option<Serve> {
    let file = manifest.text(&["main"])?.trim_start_matches("./");
    let (dir, name) = file.split_once('/')?;
    let is_built =
        matches!(dir, "dist" | "build" | "out" | "lib" | "output") && [".js", ".mjs", ".cjs"].iter().any(|end| name.ends_with(end));
    let program = if manager.kind == Kind::Bun { "bun" } else { "node" };
    is_built.then(|| Serve::Process { command: argv([program, file]), line: format!("{program} {file}"), why: "main" })
}

/// What the framework's build leaves behind.
fn by_framework(source: &Source, manifest: &Manifest, framework: &Framework) -> Option<Serve> {
    // Angular names the script that serves what it renders itself after the project.
    if framework.name == "angular"
        && let Some((_, line)) = manifest.scripts().find(|(name, _)| name.starts_with("serve:ssr"))
    {
        return Some(Serve::Process { command: shell(line), line: line.to_owned(), why: "the framework" });
    }
    match framework.output {
        Output::Static { .. } => built_site(source, manifest, framework),
        Output::Server { start: [] } => None,
        Output::Server { start } => {
            Some(Serve::Process { command: argv(start.iter().copied()), line: start.join(" "), why: "the framework" })
        }
    }
}

/// The site that a static framework's build makes.
fn built_site(source: &Source, manifest: &Manifest, framework: &Framework) -> Option<Serve> {
    let Output::Static { dir, spa } = framework.output else { return None };
    let can_build = manifest.script("build").is_some() || !framework.build.is_empty();
    can_build.then(|| Serve::Static {
        dir: framework::output_dir(source, framework, dir, manifest.script("build").or(manifest.script("docs:build"))),
        spa,
        why: "the framework",
    })
}

/// Without a package.json: a page goes before a script beside it, which is probably the page's.
pub fn find_bare(source: &Source, context: &Context) -> Option<Serve> {
    let script = find(source, context, &Manifest::default(), &Manager::npm())?;
    let is_stated = matches!(script, Serve::Process { why: "Procfile" | "the settings", .. });
    let in_root = matches!(&script, Serve::Process { line, .. } if !line.contains('/'));
    match bare_site(source) {
        _ if is_stated => Some(script),
        None if in_root => Some(script),
        site => site,
    }
}

/// Files that are a site as they are.
pub fn bare_site(source: &Source) -> Option<Serve> {
    let stated = source
        .peek("Staticfile")
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("root:").map(|dir| dir.trim().trim_matches('/').to_owned())));
    if let Some(dir) = stated.filter(|dir| !dir.is_empty() && source.is_dir(dir)) {
        return Some(Serve::Static { dir, spa: false, why: "Staticfile" });
    }
    let dir = [".", "public", "dist", "static", "src"].into_iter().find(|dir| source.is_file(&format!("{dir}/index.html")))?;
    Some(Serve::Static { dir: dir.into(), spa: false, why: "index.html" })
}

/// `packages`: the directories of a workspace's packages, one of which is probably meant.
pub fn nothing_to_start(framework: Option<&Framework>, packages: &[String]) -> Diagnostic {
    if let [first, ..] = packages {
        let list: Vec<_> = packages.iter().take(10).map(|dir| format!("`{dir}`")).collect();
        let message = format!(
            "The root is a workspace of several packages, and nothing says which of them is started: did you mean {}? Set the root \
             directory or the start command in the application's settings, or add a `start` script to the root's package.json, such as \
             `npm run start --workspace {first}`.",
            list.join(" or ")
        );
        return warning("NODE_WORKSPACE_ROOT", message, Some(FILE));
    }
    let hint = match framework.map(|framework| framework.name) {
        Some("sveltekit") => "Install `@sveltejs/adapter-node` and name it in svelte.config.js, which makes a server of the build. ",
        Some("astro") => "The configured adapter builds for another platform; `@astrojs/node` makes a server of the build. ",
        _ => "",
    };
    let message = format!(
        "Nothing says how the application is started: package.json has no `start` script and no `main` that exists, and there is no \
         `server.js` or `index.html`. {hint}Add a `start` script to package.json, or a line `web: <command>` to a Procfile, or set the \
         start command in the application's settings."
    );
    warning("NODE_NO_START", message, Some(FILE))
}
