//! What runs: the customer's word, else what the framework wants, else a file whose name says it.

use slipway_buildpack_sdk::{Command, Context, Process, ProcessKind, Refusal, Source, argv, refuse, shell, stated_start};

use crate::{
    app_object::{self, AppObject},
    project::Project,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub web: Command,
    pub why: &'static str,
    pub others: Vec<Process>,
    /// Variables of the image.
    pub env: Vec<(String, String)>,
}

/// What a framework's own name is in a plan, by a dependency that gives it away; the more particular first.
const FRAMEWORKS: [(&str, &str); 9] = [
    ("django", "django"),
    ("python-fasthtml", "fasthtml"),
    ("fastapi", "fastapi"),
    ("streamlit", "streamlit"),
    ("gradio", "gradio"),
    ("flask", "flask"),
    ("starlette", "starlette"),
    ("sanic", "sanic"),
    ("aiohttp", "aiohttp"),
];

const PROGRAMS: [&str; 12] = [
    "main.py",
    "app.py",
    "start.py",
    "bot.py",
    "hello.py",
    "server.py",
    "run.py",
    "application.py",
    "index.py",
    "src/main.py",
    "src/app.py",
    "app/main.py",
];

pub fn framework(source: &Source, project: &Project) -> Option<&'static str> {
    if source.is_file("manage.py") {
        return Some("django");
    }
    FRAMEWORKS.into_iter().find(|(package, _)| project.uses(package)).map(|(_, name)| name)
}

/// How the application starts, or `None` when the tree does not tell.
pub fn find(source: &Source, context: &Context, project: &Project) -> Option<Start> {
    let plain = |web: Command, why: &'static str| Start { web, why, others: Vec::new(), env: Vec::new() };
    if let Some(stated) = stated_start(source, context) {
        let why = if stated.file.is_some() { "Procfile" } else { "the settings" };
        return Some(plain(shell(stated.command), why));
    }
    let by_framework = match framework(source, project) {
        Some("django") => django(source, project),
        Some("fastapi") => app_object::find(source, &["FastAPI"]).map(|app| plain(asgi(project, &app), "FastAPI")),
        Some("fasthtml") => app_object::find(source, &["fast_app", "FastHTML"]).map(|app| plain(asgi(project, &app), "FastHTML")),
        Some("starlette") => app_object::find(source, &["Starlette"]).map(|app| plain(asgi(project, &app), "Starlette")),
        Some("flask") => flask(source, project),
        Some("streamlit") => first_program(source).map(|file| {
            plain(
                shell(format!("exec streamlit run {file} --server.port $PORT --server.address 0.0.0.0 --server.headless true")),
                "Streamlit",
            )
        }),
        Some("gradio") => first_program(source).map(|file| Start {
            env: vec![("GRADIO_SERVER_NAME".into(), "0.0.0.0".into())],
            ..plain(shell(format!("GRADIO_SERVER_PORT=$PORT exec python {file}")), "Gradio")
        }),
        _ => None,
    };
    by_framework.or_else(|| program(source, project).map(|command| plain(command, "a file whose name says that it is started")))
}

fn django(source: &Source, project: &Project) -> Option<Start> {
    let find = |name: &str| source.find(3, |path| path.ends_with(&format!("/{name}"))).into_iter().next();
    let bind = "0.0.0.0:$PORT";
    let web = match (find("wsgi.py"), find("asgi.py")) {
        (_, Some(asgi)) if project.uses("daphne") && !project.uses("gunicorn") => {
            format!("exec daphne -b 0.0.0.0 -p $PORT {}:application", module_of_project(source, &asgi))
        }
        (_, Some(asgi)) if project.uses("uvicorn") && !project.uses("gunicorn") => {
            format!("exec uvicorn --host 0.0.0.0 --port $PORT {}:application", module_of_project(source, &asgi))
        }
        (Some(wsgi), _) if project.uses("waitress") && !project.uses("gunicorn") => {
            format!("exec waitress-serve --listen={bind} {}:application", module_of_project(source, &wsgi))
        }
        (Some(wsgi), _) => format!("exec gunicorn --bind {bind} {}:application", module_of_project(source, &wsgi)),
        _ => return None,
    };
    let migrate = source.is_file("manage.py").then(|| Process {
        name: "release".into(),
        kind: ProcessKind::Release,
        command: argv(["python", "manage.py", "migrate", "--noinput"]),
        env: Vec::new(),
        is_default: false,
    });
    Some(Start { web: shell(web), why: "Django", others: migrate.into_iter().collect(), env: Vec::new() })
}

/// The module of a file, from the directory that `manage.py` puts on the path.
fn module_of_project(source: &Source, file: &str) -> String {
    let file = if source.is_file("manage.py") { file } else { file.trim_start_matches("src/") };
    app_object::module_of(file)
}

fn flask(source: &Source, project: &Project) -> Option<Start> {
    let app = app_object::find(source, &["Flask", "APIFlask"])?;
    let call = if app.is_factory { "()" } else { "" };
    let text = source.peek(&app.file).unwrap_or_default();
    let web = if project.uses("waitress") && !project.uses("gunicorn") {
        let call = if app.is_factory { "--call " } else { "" };
        shell(format!("exec waitress-serve --listen=0.0.0.0:$PORT {call}{}", app.reference))
    } else if !project.uses("gunicorn") && text.contains("PORT") && text.contains(".run(") {
        // A program that asks for PORT itself knows best how it wants to be started.
        argv(["python", &app.file])
    } else {
        // Quoted for the parentheses of a factory.
        shell(format!("exec gunicorn --bind 0.0.0.0:$PORT '{}{call}'", app.reference))
    };
    Some(Start { web, why: "Flask", others: Vec::new(), env: Vec::new() })
}

fn asgi(project: &Project, app: &AppObject) -> Command {
    let factory = if app.is_factory { " --factory" } else { "" };
    if project.uses("hypercorn") && !project.uses("uvicorn") {
        return shell(format!("exec hypercorn --bind 0.0.0.0:$PORT '{}{}'", app.reference, if app.is_factory { "()" } else { "" }));
    }
    shell(format!("exec uvicorn --host 0.0.0.0 --port $PORT{factory} {}", app.reference))
}

/// A server that the start command runs and the dependencies do not have; it is then installed beside them.
pub fn missing_server(project: &Project, start: &Start) -> Option<&'static str> {
    let Command::Shell(line) = &start.web else { return None };
    if matches!(start.why, "Procfile" | "the settings") {
        return None;
    }
    // FastHTML brings Uvicorn along.
    let has = |server: &str| project.uses(server) || (server == "uvicorn" && project.uses("python-fasthtml"));
    [("gunicorn", "gunicorn>=23,<24"), ("uvicorn", "uvicorn>=0.30,<1")]
        .into_iter()
        .find(|(server, _)| line.starts_with(&format!("exec {server} ")) && !has(server))
        .map(|(_, package)| package)
}

fn first_program(source: &Source) -> Option<String> {
    source.first_file(&PROGRAMS).map(str::to_owned).or_else(|| only_file(source))
}

/// `python main.py` and the like.
fn program(source: &Source, project: &Project) -> Option<Command> {
    if let Some(file) = first_program(source) {
        return Some(argv(["python", &file]));
    }
    let name = project.text(&["project", "name"]).or_else(|| project.text(&["tool", "poetry", "name"]))?.replace('-', "_");
    [name.clone(), format!("src/{name}")]
        .iter()
        .find(|dir| source.is_file(&format!("{dir}/__main__.py")))
        .map(|_| argv(["python", "-m", &name]))
}

/// The only program of the root, whatever its name.
fn only_file(source: &Source) -> Option<String> {
    let files: Vec<_> = source
        .list(".")
        .into_iter()
        .filter(|entry| {
            !entry.is_dir && entry.name.ends_with(".py") && !matches!(entry.name.as_str(), "setup.py" | "conftest.py" | "gunicorn.conf.py")
        })
        .collect();
    match &files[..] {
        [file] => Some(file.name.clone()),
        _ => None,
    }
}

pub fn nothing_to_start() -> Refusal {
    refuse(
        "PYTHON_NO_START",
        "Nothing says how the application is started: there is no Procfile, no framework that is known here, and no `main.py` or `app.py`.",
    )
    .fix("Add a line `web: <command>` to a Procfile, or set the start command in the application's settings.")
}
