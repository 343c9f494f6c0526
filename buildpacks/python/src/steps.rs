//! The plan: the virtual environment, static files, and the image.

use slipway_buildpack_sdk::{
    Base, Cache, Context, File, Fragment, Health, HealthBasis, Image, Input, Layer, Port, Probe, Process, ProcessKind, Refusal, Run,
    Source, Step, argv, has_other_processes, info, shell,
};

use crate::{
    installer::{self, DERIVED_REQUIREMENTS, Installer, TOOLS, VENV},
    project::Project,
    start, system_packages, version,
};

const APP: &str = "/app";
const CACHE: &str = "pip";
const PATH: &str = "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub fn plan(source: &Source, context: &Context, project: &Project) -> Result<Fragment, Refusal> {
    let tool = version::constraint(source, project)?;
    let (installer, mut diagnostics) = installer::choose(source, project)?;
    // Without a web process the Procfile's others may be all there is.
    let start = start::find(source, context, project);
    if start.is_none() && !has_other_processes(source) {
        return Err(start::nothing_to_start());
    }
    let server = start.as_ref().and_then(|start| start::missing_server(project, start)).filter(|_| installer.is_some());
    if let Some(server) = server {
        let message = format!(
            "No server for production is among the dependencies, so `{server}` is installed beside them. Add it, to say which version."
        );
        diagnostics.push(info("PYTHON_SERVER_ADDED", message, None));
    }
    let (build_packages, run_packages) = system_packages::of(project);

    let mut steps = Vec::new();
    if let Some(installer) = installer {
        steps.extend(toolchain(installer));
        steps.push(install(installer, source, project, build_packages, server));
    }
    let built = build(source, context, !steps.is_empty());
    let mut layers = Vec::new();
    if installer.is_some() {
        layers.push(Layer { origin: "install".into(), path: VENV.into(), dest: VENV.into(), include: vec![], exclude: vec![] });
    }
    layers.push(match &built {
        Some(_) => Layer { origin: "build".into(), path: APP.into(), dest: APP.into(), include: vec![], exclude: vec![] },
        None => Layer { origin: "source".into(), path: ".".into(), dest: APP.into(), include: vec![], exclude: not_source() },
    });
    steps.extend(built);

    let mut env: Vec<(String, String)> = [("PATH", PATH), ("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1"), ("HOME", "/tmp")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    env.push(("PYTHONPATH".into(), if source.is_dir("src") { "/app:/app/src".into() } else { APP.into() }));
    let mut processes = Vec::new();
    let listens = start.is_some();
    if let Some(start) = start {
        env.extend(start.env);
        processes.push(Process { name: "web".into(), kind: ProcessKind::Web, command: start.web, env: vec![], is_default: true });
        processes.extend(start.others);
    }
    Ok(Fragment {
        tools: vec![tool],
        caches: if installer.is_some() { vec![Cache { id: CACHE.into(), path: "/root/.cache/pip".into(), shared: true }] } else { vec![] },
        steps,
        image: Some(Image {
            base: Base::Tool("python".into()),
            packages: run_packages,
            layers,
            files: vec![],
            env,
            workdir: APP.into(),
            user: "1000:1000".into(),
        }),
        dockerfile: None,
        processes,
        ports: listens.then(|| Port { name: "http".into(), env: "PORT".into(), default: 8000 }).into_iter().collect(),
        health: listens.then_some(Health { probe: Probe::Tcp, grace_seconds: 60, basis: HealthBasis::Guessed }),
        static_site: None,
        diagnostics,
    })
}

fn not_source() -> Vec<String> {
    [".git", "**/__pycache__", "**/*.pyc", ".venv", "venv", ".tox", ".pytest_cache", ".mypy_cache"].map(str::to_owned).to_vec()
}

/// The step that has the installer, where pip is not enough. Independent of the source, so it is made once.
fn toolchain(installer: Installer) -> Option<Step> {
    let packages = installer.packages();
    if packages.is_empty() {
        return None;
    }
    let pip = format!("{TOOLS}/bin/pip");
    let run = |words: &[&str]| Run { command: argv(words.iter().copied()), cwd: "/".into(), env: installer.env(), network: true };
    Some(Step {
        id: "toolchain".into(),
        base: Base::Tool("python".into()),
        inputs: vec![],
        files: vec![],
        run: vec![run(&["python", "-m", "venv", TOOLS]), run(&[&[pip.as_str(), "install"], packages].concat())],
        caches: vec![CACHE.into()],
        secrets: vec![],
        packages: vec![],
    })
}

fn install(installer: Installer, source: &Source, project: &Project, packages: Vec<String>, server: Option<&str>) -> Step {
    let derived = matches!(installer, Installer::PipFromProject);
    let files = derived.then(|| File {
        path: DERIVED_REQUIREMENTS.into(),
        content: project.project_dependencies().join("\n") + "\n",
        executable: false,
    });
    let run = |command| Run { command, cwd: APP.into(), env: installer.env(), network: true };
    // By the pip outside, because some installers leave none in the environment.
    let add_server = server.map(|server| argv(["python", "-m", "pip", "--python", &format!("{VENV}/bin/python"), "install", server]));
    let inputs = if derived {
        vec![]
    } else {
        vec![Input { origin: "source".into(), include: installer.inputs(source, project), exclude: not_source(), dest: APP.into() }]
    };
    Step {
        id: "install".into(),
        base: if installer.packages().is_empty() { Base::Tool("python".into()) } else { Base::Step("toolchain".into()) },
        inputs,
        files: files.into_iter().collect(),
        run: [argv(["python", "-m", "venv", VENV]), installer.install()].into_iter().chain(add_server).map(run).collect(),
        caches: vec![CACHE.into()],
        secrets: vec![],
        packages,
    }
}

/// The customer's build command, else Django's static files where the settings say where they go.
fn build(source: &Source, context: &Context, installed: bool) -> Option<Step> {
    let stated = context.build_command.as_deref().map(str::trim).filter(|command| !command.is_empty());
    let command = match stated {
        Some(command) => shell(command),
        None if installed && collects_static(source) => argv(["python", "manage.py", "collectstatic", "--noinput"]),
        None => return None,
    };
    let env = vec![("PATH".to_owned(), PATH.to_owned()), ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())];
    Some(Step {
        id: "build".into(),
        base: if installed { Base::Step("install".into()) } else { Base::Tool("python".into()) },
        inputs: vec![Input { origin: "source".into(), include: vec![], exclude: not_source(), dest: APP.into() }],
        files: vec![],
        run: vec![Run { command, cwd: APP.into(), env, network: true }],
        caches: if installed { vec![CACHE.into()] } else { vec![] },
        secrets: vec![],
        packages: vec![],
    })
}

fn collects_static(source: &Source) -> bool {
    source.is_file("manage.py")
        && source
            .find(3, |path| path.ends_with("settings.py") || path.contains("/settings/") && path.ends_with(".py"))
            .iter()
            .filter_map(|file| source.peek(file))
            .any(|text| text.lines().any(|line| line.trim_start().starts_with("STATIC_ROOT")))
}
