//! The plan: the virtual environment, static files, and the image.

use slipway_buildpack_sdk::{
    Base, Cache, Command, Context, Diagnostic, File, Fragment, Health, HealthBasis, Image, Input, Layer, Port, Probe, Process, ProcessKind,
    Refusal, Run, Source, Step, argv, has_other_processes, info, shell, warning,
};

use crate::{
    code::{self, Code},
    django,
    framework::{self, Serving},
    installer::{self, DERIVED_REQUIREMENTS, Installer, TOOLS, VENV},
    project::Project,
    server,
    start::{self, Start},
    subdirectories, system_packages, version,
};

const APP: &str = "/app";
const CACHE: &str = "pip";
const PATH: &str = "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub fn plan(source: &Source, context: &Context, project: &Project) -> Result<Fragment, Refusal> {
    let (tool, mut diagnostics) = version::constraint(source, project)?;
    let (installer, about_installer) = installer::choose(source, project)?;
    diagnostics.extend(about_installer);
    let code = code::load(source);
    let start = start::find(source, context, project, &code);
    // Without a web process the Procfile's others may be all there is.
    if start.is_none() && !has_other_processes(source) {
        diagnostics.push(subdirectories::diagnostic(source).unwrap_or_else(nothing_to_start));
    }
    let server = start.as_ref().and_then(|start| server::missing(project, start));
    diagnostics.extend(about_packages(source, project, &code, installer, start.as_ref(), server));
    let (build_packages, run_packages) = system_packages::of(source, project);

    let python = Venv { is_python2: tool.constraint.trim_start_matches(['=', '~', '^']).starts_with('2') };
    let mut steps = Vec::new();
    if let Some(installer) = installer {
        steps.extend(toolchain(installer, source, project, python));
    }
    if installer.is_some() || server.is_some() {
        steps.push(install(installer, source, project, python, build_packages, server));
    }
    let has_venv = !steps.is_empty();
    let built = build(source, context, project, &code, has_venv);
    let mut layers = Vec::new();
    if has_venv {
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
    let listens = start.as_ref().is_some_and(|start| start.listens);
    if let Some(start) = start {
        env.extend(start.env);
        let (name, kind) = if start.listens { ("web", ProcessKind::Web) } else { ("worker", ProcessKind::Worker) };
        processes.push(Process { name: name.into(), kind, command: start.web, env: vec![], is_default: true });
        processes.extend(start.others);
    }
    Ok(Fragment {
        tools: vec![tool],
        caches: if has_venv { vec![Cache { id: CACHE.into(), path: "/root/.cache/pip".into(), shared: true }] } else { vec![] },
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
    [".git", "**/node_modules", "**/__pycache__", "**/*.pyc", ".venv", "venv", ".tox", ".pytest_cache", ".mypy_cache"]
        .map(str::to_owned)
        .to_vec()
}

fn nothing_to_start() -> Diagnostic {
    let message = "Nothing says how the application is started: there is no Procfile, no framework that is known here, and no `main.py` or \
        `app.py`. Add a line `web: <command>` to a Procfile, or set the start command in the application's settings.";
    warning("PYTHON_NO_START", message, None)
}

/// What is worth saying about servers and dependencies that are not there.
fn about_packages(
    source: &Source,
    project: &Project,
    code: &Code,
    installer: Option<Installer>,
    start: Option<&Start>,
    added: Option<&str>,
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if let Some(server) = added {
        let message = format!(
            "No server for production is among the dependencies, so `{server}` is installed beside them. Add it, to say which version."
        );
        diagnostics.push(info("PYTHON_SERVER_ADDED", message, None));
    }
    // What a program in another directory or `setup.py` asks for is not seen here.
    let is_known = !project.dependencies.is_empty() && !matches!(installer, Some(Installer::PipProject) | None);
    if let Some(server) = start.and_then(|start| server::missing_in_stated(project, start)).filter(|_| is_known) {
        let message = format!("The start command runs `{server}`, which is not among the dependencies. Add it to them.");
        diagnostics.push(warning("PYTHON_SERVER_MISSING", message, None));
    }
    if let (None, Some(framework)) = (installer, framework::find(source, project, code)) {
        let message = format!(
            "The application uses {}, but nothing says what to install. Add a requirements.txt, or dependencies to pyproject.toml.",
            framework.name
        );
        diagnostics.push(warning("PYTHON_NO_DEPENDENCIES", message, None));
    }
    if let (Some(file), Some(_)) = (installer::conda_file(source), installer) {
        let message = format!("`{file}` is left aside: what is only in it is not installed.");
        diagnostics.push(info("PYTHON_CONDA_UNUSED", message, Some(file)));
    }
    diagnostics
}

/// How a virtual environment is made.
#[derive(Debug, Clone, Copy)]
struct Venv {
    is_python2: bool,
}

impl Venv {
    /// Python 2 has no `venv`.
    fn create(self, path: &str) -> Vec<Command> {
        if self.is_python2 {
            let install = argv(["python", "-m", "pip", "install", "virtualenv<20.22"]);
            return vec![install, argv(["python", "-m", "virtualenv", path])];
        }
        vec![argv(["python", "-m", "venv", path])]
    }
}

/// The step that has the installer, where pip is not enough. Independent of the source, so it is made once.
fn toolchain(installer: Installer, source: &Source, project: &Project, python: Venv) -> Option<Step> {
    let packages = installer.packages(source, project);
    if packages.is_empty() {
        return None;
    }
    let pip = argv([format!("{TOOLS}/bin/pip"), "install".into()].into_iter().chain(packages));
    let run = |command| Run { command, cwd: "/".into(), env: installer.env(), network: true };
    Some(Step {
        id: "toolchain".into(),
        base: Base::Tool("python".into()),
        inputs: vec![],
        files: vec![],
        run: python.create(TOOLS).into_iter().chain([pip]).map(run).collect(),
        caches: vec![CACHE.into()],
        secrets: vec![],
        packages: vec![],
    })
}

/// The virtual environment with the dependencies, and with a server where they have none.
fn install(
    installer: Option<Installer>,
    source: &Source,
    project: &Project,
    python: Venv,
    packages: Vec<String>,
    server: Option<&str>,
) -> Step {
    let derived = installer == Some(Installer::PipFromProject);
    let files = derived.then(|| File {
        path: DERIVED_REQUIREMENTS.into(),
        content: project.project_dependencies().join("\n") + "\n",
        executable: false,
    });
    let env = installer.unwrap_or(Installer::Pip).env();
    let run = |command| Run { command, cwd: APP.into(), env: env.clone(), network: true };
    // By the pip outside, because some installers leave none in the environment.
    let add_server = server.map(|server| argv(["python", "-m", "pip", "--python", &format!("{VENV}/bin/python"), "install", server]));
    let inputs = match installer {
        Some(installer) if !derived => {
            vec![Input { origin: "source".into(), include: installer.inputs(source, project), exclude: not_source(), dest: APP.into() }]
        }
        _ => vec![],
    };
    let has_toolchain = installer.is_some_and(|installer| !installer.packages(source, project).is_empty());
    Step {
        id: "install".into(),
        base: if has_toolchain { Base::Step("toolchain".into()) } else { Base::Tool("python".into()) },
        inputs,
        files: files.into_iter().collect(),
        run: python
            .create(VENV)
            .into_iter()
            .chain(installer.map(|installer| installer.install(project)))
            .chain(add_server)
            .map(run)
            .collect(),
        caches: vec![CACHE.into()],
        secrets: vec![],
        packages,
    }
}

/// The customer's build command, else what the framework makes ahead of time: Django's static files, the pages of MkDocs.
fn build(source: &Source, context: &Context, project: &Project, code: &Code, installed: bool) -> Option<Step> {
    let stated = context.build_command.as_deref().map(str::trim).filter(|command| !command.is_empty());
    let mut env = vec![("PATH".to_owned(), PATH.to_owned()), ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())];
    let command = match (stated, framework::find(source, project, code).map(|framework| framework.serving)) {
        (Some(command), _) => shell(command),
        (None, Some(Serving::Django)) if installed => {
            let django = django::find(source);
            env.extend(django.build_env());
            django.collect_static()?
        }
        (None, Some(Serving::MkDocs)) if installed => argv(["mkdocs", "build", "--site-dir", "site"]),
        (None, _) => return None,
    };
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
