//! The plan: extensions, Composer's packages, and the image.

use slipway_buildpack_sdk::{
    Base, Cache, Command, Context, Diagnostic, File, Fragment, Health, HealthBasis, Image, Input, Layer, Port, Probe, Process, ProcessKind,
    Refusal, Run, Source, Step, Tool, argv, has_other_processes, shell, stated_start, warning,
};

use crate::{
    apache,
    composer::{self, Composer},
    extensions, laravel,
    launcher::{self, Launcher},
    lock,
    site::{self, Site},
    version,
};

const APP: &str = "/app";
const USER: &str = "1000:1000";
const CACHE: &str = "composer";

pub fn plan(source: &Source, context: &Context, composer: Option<&Composer>) -> Result<Fragment, Refusal> {
    let framework = site::framework(source, composer);
    let packaged = composer.filter(|composer| composer.has_work());
    let lock = if composer.is_some() { lock::load(source)? } else { None };
    if let (Some(composer), Some(lock)) = (composer, &lock) {
        lock.check(composer)?;
    }
    let php = version::php(source, composer, lock.as_ref())?;
    let mut diagnostics: Vec<Diagnostic> = version::end_of_life(&php).into_iter().collect();
    let mut fragment = Fragment { tools: vec![php], ..Fragment::default() };

    let extensions = extensions::wanted(composer, lock.as_ref(), framework);
    let php = match extensions.step(Base::Tool("php".into())) {
        Some(step) => {
            fragment.steps.push(step);
            Base::Step("php".into())
        }
        None => Base::Tool("php".into()),
    };
    for name in &extensions.unknown {
        let message = format!("The extension `{name}` is required, but neither is in the image nor can be added here.");
        diagnostics.push(warning("PHP_EXTENSION_UNKNOWN", message, Some(composer::FILE)));
    }

    let mut code = None;
    if let Some(composer) = packaged {
        install(&mut fragment, source, composer, &php, framework, &mut diagnostics);
        code = Some("build");
    }
    let launcher = launcher::find(source);
    let site = site::find(source, composer, framework, launcher.as_ref());
    if let Some(command) = context.build_command.as_deref().map(str::trim).filter(|command| !command.is_empty()) {
        custom_build(&mut fragment, &php, code, command);
        code = Some("custom");
    }

    let layers = vec![match code {
        Some(step) => Layer { origin: step.into(), path: APP.into(), dest: APP.into(), include: vec![], exclude: vec![] },
        // Without Composer, a `vendor` in the source is the only one there will be.
        None => Layer { origin: "source".into(), path: ".".into(), dest: APP.into(), include: vec![], exclude: not_source(false) },
    }];

    let mut env = apache::env();
    env.extend(framework_env(framework));
    let start = start(source, context, composer, framework, site.as_ref(), launcher.as_ref());
    if let Some(command) = start.command {
        fragment.processes = vec![process("web", ProcessKind::Web, command, true)];
    } else if !has_other_processes(source) {
        diagnostics.push(no_start());
    }
    diagnostics.extend(launcher.and_then(|launcher| launcher.diagnostic()));
    fragment.image = Some(Image { base: php, packages: vec![], layers, files: start.files, env, workdir: APP.into(), user: USER.into() });
    if framework == Some("laravel") && source.is_file("artisan") {
        let migrate = argv(["php", "artisan", "migrate", "--force"]);
        fragment.processes.push(process("release", ProcessKind::Release, migrate, false));
    }
    fragment.ports = vec![Port { name: "http".into(), env: "PORT".into(), default: 8080 }];
    fragment.health = Some(Health { probe: Probe::Tcp, grace_seconds: 30, basis: HealthBasis::Guessed });
    fragment.diagnostics = diagnostics;
    Ok(fragment)
}

/// How the application starts, and the files in the image that this needs.
#[derive(Default)]
struct Start {
    command: Option<Command>,
    files: Vec<File>,
}

/// In order: the command that is stated, the server on what the site shows, the `start` script of composer.json.
fn start(
    source: &Source,
    context: &Context,
    composer: Option<&Composer>,
    framework: Option<&str>,
    site: Option<&Site>,
    launcher: Option<&Launcher>,
) -> Start {
    let mut start = Start::default();
    let (mut server, mut server_line) = (apache::command(), apache::command_line());
    if let Some(site) = site {
        start.files.push(apache::config(site, launcher.and_then(|launcher| launcher.apache_include.as_deref())));
        if framework == Some("laravel") && source.is_file("artisan") {
            start.files.push(laravel::start(&server_line));
            (server, server_line) = (argv([laravel::START_PATH]), laravel::START_PATH.to_owned());
        }
        start.files.extend(launcher.map(|launcher| launcher.file(&server_line)));
    }
    let script = || composer.and_then(Composer::start_script);
    start.command = match stated_start(source, context) {
        Some(stated) => Some(shell(stated.command)),
        None if site.is_some() => Some(server),
        None => script().map(shell),
    };
    start
}

fn no_start() -> Diagnostic {
    let message = "Nothing says how the application starts: there is neither an `index.php` nor a `public/index.php`. Add one, or a line \
                   `web: <command>` to a Procfile, or set the start command in the application's settings.";
    warning("PHP_NO_START", message, None)
}

fn process(name: &str, kind: ProcessKind, command: Command, is_default: bool) -> Process {
    Process { name: name.into(), kind, command, env: vec![], is_default }
}

/// What the image makes itself.
fn not_source(is_packaged: bool) -> Vec<String> {
    let vendor = is_packaged.then_some("vendor");
    [".git", "**/node_modules"].into_iter().chain(vendor).map(str::to_owned).collect()
}

fn framework_env(framework: Option<&str>) -> Vec<(String, String)> {
    let pairs: &[(&str, &str)] = match framework {
        Some("laravel" | "lumen") => &[("APP_ENV", "production"), ("LOG_CHANNEL", "stderr")],
        Some("symfony") => &[("APP_ENV", "prod"), ("APP_DEBUG", "0")],
        _ => &[],
    };
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Packages by the manifests alone; then, with the source, the class map and what frameworks prepare.
fn install(
    fragment: &mut Fragment,
    source: &Source,
    composer: &Composer,
    php: &Base,
    framework: Option<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut env: Vec<(String, String)> =
        [("COMPOSER_ALLOW_SUPERUSER", "1"), ("COMPOSER_CACHE_DIR", "/root/.cache/composer"), ("COMPOSER_NO_INTERACTION", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    if composer.has_packages() && !source.is_file("composer.lock") {
        let message = "There is no composer.lock: every build may install other versions. Commit the one that `composer install` writes.";
        diagnostics.push(warning("PHP_NO_LOCKFILE", message, Some(composer::FILE)));
    }
    fragment.tools.push(Tool { name: "composer".into(), constraint: "2".into(), source: String::new(), is_default: true });
    fragment.caches.push(Cache { id: CACHE.into(), path: "/root/.cache/composer".into(), shared: true });
    fragment.steps.push(Step {
        id: "composer".into(),
        base: Base::Tool("composer".into()),
        inputs: vec![],
        files: vec![],
        run: vec![],
        caches: vec![],
        secrets: vec![],
        packages: vec![],
    });
    let program =
        Input { origin: "composer".into(), include: vec!["/usr/bin/composer".into()], exclude: vec![], dest: "/usr/local/bin".into() };
    let manifests: Vec<String> = match composer.installed_directories() {
        None => vec![],
        Some(directories) => ["composer.json", "composer.lock", "symfony.lock", "auth.json"]
            .into_iter()
            .filter(|file| source.is_file(file))
            .map(str::to_owned)
            .chain(directories)
            .collect(),
    };
    let run = |words: &[&str], env: &[(String, String)]| Run {
        command: argv(words.iter().copied()),
        cwd: APP.into(),
        env: env.to_vec(),
        network: true,
    };
    fragment.steps.push(Step {
        id: "install".into(),
        base: php.clone(),
        inputs: vec![program, Input { origin: "source".into(), include: manifests, exclude: not_source(true), dest: APP.into() }],
        files: vec![],
        run: vec![run(&["composer", "install", "--no-dev", "--prefer-dist", "--no-progress", "--no-scripts", "--no-autoloader"], &env)],
        caches: vec![CACHE.into()],
        secrets: vec![],
        // Composer unpacks archives with unzip and fetches the rest with git.
        packages: ["ca-certificates", "git", "unzip"].map(str::to_owned).to_vec(),
    });
    env.extend(framework_env(framework));
    let mut commands = vec![run(&["composer", "dump-autoload", "--no-dev", "--optimize"], &env)];
    if framework == Some("symfony") && composer.has_script("auto-scripts") {
        commands.push(run(&["composer", "run-script", "--no-dev", "auto-scripts"], &env));
    }
    fragment.steps.push(Step {
        id: "build".into(),
        base: Base::Step("install".into()),
        inputs: vec![Input { origin: "source".into(), include: vec![], exclude: not_source(true), dest: APP.into() }],
        files: vec![],
        run: commands,
        caches: vec![CACHE.into()],
        secrets: vec![],
        packages: vec![],
    });
}

/// The customer's own build command, after everything else.
fn custom_build(fragment: &mut Fragment, php: &Base, code: Option<&str>, command: &str) {
    let inputs = match code {
        Some(_) => vec![],
        None => vec![Input { origin: "source".into(), include: vec![], exclude: not_source(false), dest: APP.into() }],
    };
    fragment.steps.push(Step {
        id: "custom".into(),
        base: code.map_or_else(|| php.clone(), |step| Base::Step(step.to_owned())),
        inputs,
        files: vec![],
        run: vec![Run { command: shell(command), cwd: APP.into(), env: vec![], network: true }],
        caches: vec![],
        secrets: vec![],
        packages: vec![],
    });
}
