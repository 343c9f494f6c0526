//! What runs: the customer's word, else what the framework wants, else a file whose name says it.

use slipway_buildpack_sdk::{
    Command, Context, Diagnostic, Process, ProcessKind, Refusal, Source, argv, refuse, shell, stated_start, warning,
};

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
    pub diagnostics: Vec<Diagnostic>,
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
    let plain = |web: Command, why: &'static str| Start { web, why, others: Vec::new(), env: Vec::new(), diagnostics: Vec::new() };
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
    let mut diagnostics = Vec::new();
    let web = match (find("wsgi.py"), find("asgi.py")) {
        (Some(wsgi), _) if project.uses("gunicorn") => {
            shell(format!("exec gunicorn --bind 0.0.0.0:$PORT {}:application", module_of_project(source, &wsgi)))
        }
        (_, Some(asgi)) if project.uses("uvicorn") => {
            shell(format!("exec uvicorn --host 0.0.0.0 --port $PORT {}:application", module_of_project(source, &asgi)))
        }
        (_, Some(asgi)) if project.uses("daphne") => {
            shell(format!("exec daphne -b 0.0.0.0 -p $PORT {}:application", module_of_project(source, &asgi)))
        }
        (Some(wsgi), _) if project.uses("waitress") => {
            shell(format!("exec waitress-serve --listen=0.0.0.0:$PORT {}:application", module_of_project(source, &wsgi)))
        }
        _ if source.is_file("manage.py") => {
            let message = "Django's development server is used, which is neither fast nor safe enough for production: add `gunicorn` to the dependencies.";
            diagnostics.push(warning("PYTHON_DEVELOPMENT_SERVER", message, Some("manage.py")));
            shell("exec python manage.py runserver --noreload 0.0.0.0:$PORT")
        }
        _ => return None,
    };
    let migrate = source.is_file("manage.py").then(|| Process {
        name: "release".into(),
        kind: ProcessKind::Release,
        command: argv(["python", "manage.py", "migrate", "--noinput"]),
        env: Vec::new(),
        is_default: false,
    });
    Some(Start { web, why: "Django", others: migrate.into_iter().collect(), env: Vec::new(), diagnostics })
}

/// The module of a file, from the directory that `manage.py` puts on the path.
fn module_of_project(source: &Source, file: &str) -> String {
    let file = if source.is_file("manage.py") { file } else { file.trim_start_matches("src/") };
    app_object::module_of(file)
}

fn flask(source: &Source, project: &Project) -> Option<Start> {
    let app = app_object::find(source, &["Flask", "APIFlask"])?;
    let mut diagnostics = Vec::new();
    let call = if app.is_factory { "()" } else { "" };
    let web = if project.uses("gunicorn") {
        // Quoted for the parentheses of a factory.
        shell(format!("exec gunicorn --bind 0.0.0.0:$PORT '{}{call}'", app.reference))
    } else if project.uses("waitress") {
        let call = if app.is_factory { "--call " } else { "" };
        shell(format!("exec waitress-serve --listen=0.0.0.0:$PORT {call}{}", app.reference))
    } else {
        let message =
            "Flask's development server is used, which is neither fast nor safe enough for production: add `gunicorn` to the dependencies.";
        diagnostics.push(warning("PYTHON_DEVELOPMENT_SERVER", message, Some(&app.file)));
        // A program that asks for PORT itself knows best how it wants to be started.
        let text = source.peek(&app.file).unwrap_or_default();
        if text.contains("PORT") && text.contains(".run(") {
            argv(["python", &app.file])
        } else {
            shell(format!("exec flask --app '{}{call}' run --host 0.0.0.0 --port $PORT", app.reference))
        }
    };
    Some(Start { web, why: "Flask", others: Vec::new(), env: Vec::new(), diagnostics })
}

fn asgi(project: &Project, app: &AppObject) -> Command {
    let factory = if app.is_factory { " --factory" } else { "" };
    if project.uses("hypercorn") && !project.uses("uvicorn") {
        return shell(format!("exec hypercorn --bind 0.0.0.0:$PORT '{}{}'", app.reference, if app.is_factory { "()" } else { "" }));
    }
    shell(format!("exec uvicorn --host 0.0.0.0 --port $PORT{factory} {}", app.reference))
}

/// Whether the command is of a server that must be among the dependencies, and is not.
pub fn missing_server(project: &Project, command: &Command) -> Option<Refusal> {
    let Command::Shell(line) = command else { return None };
    let server = ["uvicorn", "hypercorn"].into_iter().find(|server| line.starts_with(&format!("exec {server} ")))?;
    // These bring one along.
    let brought = project.uses("python-fasthtml") || project.dependencies.iter().any(|name| name == "fastapi-cli");
    let found = project.uses(server) || brought;
    (!found).then(|| {
        refuse("PYTHON_NO_SERVER", format!("The application needs an ASGI server such as `{server}`, and none is among its dependencies."))
            .fix(format!("Add `{server}` to the dependencies."))
    })
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
