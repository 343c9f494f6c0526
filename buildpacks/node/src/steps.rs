//! The plan: the package manager, the dependencies, the build, and the image.

use slipway_buildpack_sdk::{
    Base, Cache, Command, Context, Diagnostic, Fragment, Health, HealthBasis, Image, Input, Layer, Port, Probe, Process, ProcessKind,
    Refusal, Run, Source, Step, argv, info, shell, warning,
};

use crate::{
    application,
    framework::Framework,
    manager_choice, manager_version,
    manifest::{FILE, Manifest},
    package_manager::{Kind, Manager},
    serve::Serve,
    static_site, system_packages, version, withdrawn, workspaces,
};

pub const APP: &str = "/app";
pub const USER: &str = "1000:1000";
/// The cache that every package manager is itself installed with.
const NPM_CACHE: (&str, &str) = ("npm", "/root/.npm");

/// What a build must never take from the source: what an install or an earlier build made.
const NOT_SOURCE: [&str; 3] = [".git", "**/node_modules", "node_modules"];

pub fn plan(source: &Source, context: &Context, manifest: &Manifest) -> Result<Fragment, Refusal> {
    let node = version::wanted(source, manifest)?;
    let (mut manager, notes) = manager_choice::choose(source, manifest)?;
    manager_version::fit_to_node(manifest, &mut manager, &node.range, &node.tool.constraint)?;
    let mut diagnostics = node.diagnostics;
    diagnostics.extend(notes);
    withdrawn::check_pinned(manifest)?;
    let application = application::find(source, context, manifest, &manager);
    diagnostics.extend(application.diagnostics);
    let (serve, framework) = (application.serve.unwrap_or(Serve::Nothing), application.framework);

    let mut planner = Planner::new(source, manifest, manager);
    let installed = planner.install();
    let build = build_commands(context, manifest, &planner.manager, framework.as_ref(), &serve, application.build);
    let built = planner.build(installed.as_deref(), build);

    let mut fragment = Fragment { tools: vec![node.tool], ..Fragment::default() };
    match serve {
        Serve::Static { dir, spa, .. } => {
            let layer = match &built {
                Some(step) => Layer {
                    origin: step.clone(),
                    path: if dir == "." { APP.into() } else { format!("{APP}/{dir}") },
                    dest: APP.into(),
                    include: Vec::new(),
                    exclude: Vec::new(),
                },
                None => {
                    // Nothing was built, so nothing that was installed is needed.
                    planner.steps.clear();
                    Layer { origin: "source".into(), path: dir, dest: APP.into(), include: Vec::new(), exclude: static_site::not_served() }
                }
            };
            static_site::complete(&mut fragment, vec![layer], spa);
        }
        Serve::Process { .. } | Serve::Nothing => {
            let (command, line) = match serve {
                Serve::Process { command, line, .. } => (Some(command), line),
                Serve::Static { .. } | Serve::Nothing => (None, String::new()),
            };
            let mut layers = planner.layers(installed.as_deref(), built.as_deref(), &line);
            if planner.manager.kind == Kind::Bun {
                // Bun is not in Node's image.
                let path = "/usr/local/bin/bun";
                let bun =
                    Layer { origin: "toolchain".into(), path: path.into(), dest: path.into(), include: Vec::new(), exclude: Vec::new() };
                layers.insert(0, bun);
            }
            complete(&mut fragment, &planner, command, framework.as_ref(), layers);
        }
    }
    diagnostics.append(&mut planner.diagnostics);
    fragment.diagnostics = diagnostics;
    planner.finish(&mut fragment);
    Ok(fragment)
}

pub struct Planner<'a> {
    source: &'a Source,
    manifest: &'a Manifest,
    packages: system_packages::SystemPackages,
    manager: Manager,
    cache_id: &'static str,
    pub diagnostics: Vec<Diagnostic>,
    pub steps: Vec<Step>,
}

impl<'a> Planner<'a> {
    pub fn new(source: &'a Source, manifest: &'a Manifest, manager: Manager) -> Self {
        let packages = system_packages::of(manifest);
        let (cache_id, _) = manager.kind.cache();
        Self { source, manifest, packages, manager, cache_id, diagnostics: Vec::new(), steps: Vec::new() }
    }

    /// The steps, and the caches that they use.
    pub fn finish(self, fragment: &mut Fragment) {
        fragment.steps = self.steps;
        let (id, path) = self.manager.kind.cache();
        let shared = matches!(self.manager.kind, Kind::Npm | Kind::Pnpm);
        fragment.caches = [(id, path, shared), (NPM_CACHE.0, NPM_CACHE.1, true)]
            .into_iter()
            .filter(|(id, ..)| fragment.steps.iter().any(|step| step.caches.iter().any(|used| used == id)))
            .map(|(id, path, shared)| Cache { id: id.into(), path: path.into(), shared })
            .collect();
        fragment.caches.dedup();
    }

    fn step(&self, id: &str, base: Base, inputs: Vec<Input>, run: Vec<Run>) -> Step {
        Step {
            id: id.into(),
            base,
            inputs,
            files: Vec::new(),
            run,
            caches: vec![self.cache_id.to_owned()],
            secrets: Vec::new(),
            packages: Vec::new(),
        }
    }

    fn run(&self, command: Command, network: bool, env: &[(&str, &str)]) -> Run {
        let mut all = self.manager.kind.env();
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Run { command, cwd: APP.into(), env: all, network }
    }

    /// The step that has the package manager and what compiling needs; `None` when the image has it all.
    fn toolchain(&mut self) -> Option<String> {
        let setup = self.manager.setup();
        if setup.is_none() && self.packages.build.is_empty() {
            return None;
        }
        let run = setup.into_iter().map(|command| self.run(command, true, &[])).collect();
        let mut step = self.step("toolchain", Base::Tool("node".into()), Vec::new(), run);
        // It is npm that installs the package manager.
        step.caches = vec![NPM_CACHE.0.into()];
        step.packages.clone_from(&self.packages.build);
        self.steps.push(step);
        Some("toolchain".into())
    }

    fn inputs(&mut self) -> Vec<Input> {
        let (include, mut notes) = workspaces::install_inputs(self.source, self.manifest);
        if !self.diagnostics.iter().any(|known| notes.contains(known)) {
            self.diagnostics.append(&mut notes);
        }
        vec![Input { origin: "source".into(), include, exclude: not_source(), dest: APP.into() }]
    }

    /// Everything that the application depends on, for building it; `None` when it depends on nothing.
    pub fn install(&mut self) -> Option<String> {
        let empty = self.manifest.dependencies().next().is_none()
            && self.manifest.dev_dependencies().next().is_none()
            && !workspaces::has_workspaces(self.source, self.manifest);
        if empty {
            // Bun is not in Node's image, whether anything is installed with it or not.
            if self.manager.kind == Kind::Bun {
                self.toolchain();
            }
            return None;
        }
        if self.manager.lockfile.is_none() {
            let message = format!(
                "There is no lockfile: every build may install other versions. Commit the one that `{} install` writes.",
                self.manager.kind.name()
            );
            self.diagnostics.push(warning("NODE_NO_LOCKFILE", message, Some(FILE)));
        }
        let base = self.toolchain().map_or_else(|| Base::Tool("node".into()), Base::Step);
        let inputs = self.inputs();
        // Named for the platform that began it: what is to happen before the dependencies are there.
        let before = self.manifest.script("heroku-prebuild").map(|_| self.manager.run_script("heroku-prebuild"));
        let run = before.into_iter().chain([self.manager.install(false)]).map(|command| self.run(command, true, &[])).collect();
        self.steps.push(self.step("install", base, inputs, run));
        Some("install".into())
    }

    pub fn build(&mut self, installed: Option<&str>, commands: Vec<Command>) -> Option<String> {
        if commands.is_empty() {
            return None;
        }
        let base = installed.map_or_else(|| Base::Tool("node".into()), |step| Base::Step(step.to_owned()));
        let input = Input { origin: "source".into(), include: Vec::new(), exclude: not_source(), dest: APP.into() };
        let run = commands
            .into_iter()
            .map(|command| self.run(command, true, &[("NODE_ENV", "production"), ("NEXT_TELEMETRY_DISABLED", "1")]))
            .collect();
        self.steps.push(self.step("build", base, vec![input], run));
        Some("build".into())
    }

    /// What goes into the image of a program: dependencies for production, then the application, built or as it is.
    fn layers(&mut self, installed: Option<&str>, built: Option<&str>, start: &str) -> Vec<Layer> {
        let whole =
            |step: &str| Layer { origin: step.into(), path: APP.into(), dest: APP.into(), include: Vec::new(), exclude: Vec::new() };
        let source = Layer { origin: "source".into(), path: ".".into(), dest: APP.into(), include: Vec::new(), exclude: not_source() };
        let Some(installed) = installed else { return vec![built.map_or(source, whole)] };
        if let Some(why) = self.needs_development(start) {
            if self.manifest.dev_dependencies().next().is_some() {
                let message = format!("Dependencies for development stay in the image: {why}.");
                self.diagnostics.push(info("NODE_DEV_DEPENDENCIES_KEPT", message, Some(FILE)));
            }
            return match built {
                Some(built) => vec![whole(built)],
                None => vec![whole(installed), source],
            };
        }
        let production = if self.manifest.dev_dependencies().next().is_some() || workspaces::has_workspaces(self.source, self.manifest) {
            let base = match self.steps.iter().find(|step| step.id == "toolchain") {
                Some(_) => Base::Step("toolchain".into()),
                None => Base::Tool("node".into()),
            };
            let inputs = self.inputs();
            let run = self.run(self.manager.install(true), true, &[("NODE_ENV", "production")]);
            self.steps.push(self.step("production", base, inputs, vec![run]));
            "production"
        } else {
            installed
        };
        let Some(built) = built else { return vec![whole(production), source] };
        let strip = argv(["find", APP, "-name", "node_modules", "-prune", "-exec", "rm", "-rf", "{}", "+"]);
        let strip = Run { command: strip, cwd: APP.into(), env: Vec::new(), network: false };
        let caches = argv(["rm", "-rf", "/app/.next/cache"]);
        let caches = Run { command: caches, cwd: APP.into(), env: Vec::new(), network: false };
        let mut step = self.step("app", Base::Step(built.to_owned()), Vec::new(), vec![strip, caches]);
        step.caches.clear();
        self.steps.push(step);
        vec![whole(production), whole("app")]
    }

    /// Why the image cannot do without the dependencies for development.
    fn needs_development(&self, start: &str) -> Option<String> {
        if let Some(script) = workspaces::install_script(self.source, self.manifest) {
            return Some(format!("the script {script} may use them on every install"));
        }
        if self.manifest.uses_any(&["@prisma/client", "prisma"]) {
            return Some("the client that Prisma generates is among them".into());
        }
        if !self.manager.separates_production() {
            return Some("this version of Yarn installs all or nothing".into());
        }
        let words: Vec<&str> = start.split(|c: char| c.is_whitespace() || c == '/').collect();
        let tool = self.manifest.dev_dependencies().find(|(name, _)| words.contains(name) || words.contains(&program_of(name)))?;
        Some(format!("the start command runs `{}`", tool.0))
    }
}

/// The program that a package installs, where it is not called like the package.
fn program_of(package: &str) -> &str {
    match package {
        "@babel/node" => "babel-node",
        "typescript" => "tsc",
        "@nestjs/cli" => "nest",
        "@remix-run/serve" => "remix-serve",
        "@react-router/serve" => "react-router-serve",
        "npm-run-all" => "run-p",
        "@angular/cli" => "ng",
        "@11ty/eleventy" => "eleventy",
        package => package,
    }
}

fn not_source() -> Vec<String> {
    NOT_SOURCE.map(str::to_owned).to_vec()
}

/// What the customer said, else the scripts that hosting platforms know, else the framework's own way.
fn build_commands(
    context: &Context,
    manifest: &Manifest,
    manager: &Manager,
    framework: Option<&Framework>,
    serve: &Serve,
    package: Option<Command>,
) -> Vec<Command> {
    if let Some(command) = context.build_command.as_deref().map(str::trim).filter(|command| !command.is_empty()) {
        return vec![shell(command)];
    }
    let build =
        ["heroku-postbuild", "build"].into_iter().find(|script| manifest.script(script).is_some()).map(|script| manager.run_script(script));
    let own = || match (framework, serve) {
        (Some(framework), Serve::Static { why: "the framework", .. })
            if manifest.script("docs:build").is_some() && framework.name.ends_with("press") =>
        {
            Some(manager.run_script("docs:build"))
        }
        (Some(framework), Serve::Static { why: "the framework", .. } | Serve::Process { why: "the framework", .. })
            if !framework.build.is_empty() =>
        {
            Some(argv(framework.build.iter().copied()))
        }
        _ => None,
    };
    build.or(package).or_else(own).into_iter().collect()
}

fn complete(fragment: &mut Fragment, planner: &Planner<'_>, command: Option<Command>, framework: Option<&Framework>, layers: Vec<Layer>) {
    let mut env = vec![
        ("NODE_ENV".to_owned(), "production".to_owned()),
        // Several frameworks listen on localhost alone unless they are told.
        ("HOST".to_owned(), "0.0.0.0".to_owned()),
        ("npm_config_update_notifier".to_owned(), "false".to_owned()),
        ("npm_config_cache".to_owned(), "/tmp/.npm".to_owned()),
        // npm hands SIGTERM to the shell of a script. Debian's sh would die of it and leave the program behind; bash has become the program.
        ("npm_config_script_shell".to_owned(), "/bin/bash".to_owned()),
    ];
    if framework.is_some_and(|framework| framework.name == "next") {
        env.push(("HOSTNAME".into(), "0.0.0.0".into()));
    }
    fragment.image = Some(Image {
        base: Base::Tool("node".into()),
        packages: planner.packages.run.clone(),
        layers,
        files: Vec::new(),
        env,
        workdir: APP.into(),
        user: USER.into(),
    });
    // Without a web process there are the Procfile's others, and nothing listens.
    let Some(command) = command else { return };
    fragment.processes = vec![Process { name: "web".into(), kind: ProcessKind::Web, command, env: Vec::new(), is_default: true }];
    fragment.ports = vec![Port { name: "http".into(), env: "PORT".into(), default: 3000 }];
    fragment.health = Some(Health { probe: Probe::Tcp, grace_seconds: 60, basis: HealthBasis::Guessed });
}
