//! What runs: the customer's word, else what the framework wants, else a program.

use slipway_buildpack_sdk::{Command, Context, Process, Source, argv, has_other_processes, shell, stated_start};

use crate::{
    app_object,
    code::Code,
    django,
    framework::{self, Framework, Serving},
    program::{self, Program},
    project::Project,
    server,
};

/// Libraries of programs that call out and listen to nobody.
const BOTS: [&str; 14] = [
    "discord-py",
    "py-cord",
    "nextcord",
    "disnake",
    "hikari",
    "python-telegram-bot",
    "pytelegrambotapi",
    "aiogram",
    "telethon",
    "pyrogram",
    "twitchio",
    "tweepy",
    "apscheduler",
    "schedule",
];
/// What a program that listens has in its text.
const LISTENING: [&str; 12] = [
    "PORT",
    "http.server",
    "socketserver",
    "HTTPServer",
    "uvicorn",
    "run_app",
    "webhook",
    "socket.",
    "waitress",
    "gunicorn",
    "werkzeug",
    "hypercorn",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub web: Command,
    pub why: &'static str,
    pub others: Vec<Process>,
    /// Variables of the image.
    pub env: Vec<(String, String)>,
    /// Whether it opens a port.
    pub listens: bool,
}

const PROCFILE: &str = "Procfile";
const SETTINGS: &str = "the settings";

impl Start {
    fn new(web: Command, why: &'static str) -> Self {
        Self { web, why, others: Vec::new(), env: Vec::new(), listens: true }
    }

    /// Whether these are the customer's own words.
    pub fn is_stated(&self) -> bool {
        matches!(self.why, PROCFILE | SETTINGS)
    }
}

/// How the application starts, or `None` when the tree does not tell.
pub fn find(source: &Source, context: &Context, project: &Project, code: &Code) -> Option<Start> {
    if let Some(stated) = stated_start(source, context) {
        return Some(Start::new(shell(stated.command), if stated.file.is_some() { PROCFILE } else { SETTINGS }));
    }
    let framework = framework::find(source, project, code);
    let by_framework = framework.and_then(|framework| of_framework(source, project, code, framework));
    if by_framework.is_some() || has_other_processes(source) {
        return by_framework;
    }
    by_interface(source, project, code, framework).or_else(|| of_program(source, project, code, framework))
}

fn of_framework(source: &Source, project: &Project, code: &Code, framework: Framework) -> Option<Start> {
    let object = |constructors: &[&str]| app_object::find(source, code, constructors);
    // Without its package among the dependencies there is no telling which server may be added.
    let is_installable = framework.is_stated(project) || !project.dependencies.is_empty();
    let line = match framework.serving {
        Serving::Django => return of_django(source, project),
        _ if !is_installable => return None,
        Serving::Asgi(constructors) => server::serve_asgi(project, &object(constructors)?),
        Serving::Wsgi(constructors) => return of_wsgi(source, project, code, framework, constructors),
        Serving::Falcon => {
            let app = object(&["App", "API"])?;
            let text = code.file(&app.file).map_or("", |file| file.text.as_str());
            if text.contains("falcon.asgi") { server::serve_asgi(project, &app) } else { server::serve_wsgi(project, &app) }
        }
        Serving::Sanic => {
            let app = object(&["Sanic"])?;
            let factory = if app.is_factory { " --factory" } else { "" };
            server::in_dir(app.dir.as_deref(), &format!("exec sanic {} --host=0.0.0.0 --port=$PORT{factory}", app.reference))
        }
        Serving::Dash => {
            // The Flask application within, by the name that its documentation gives it.
            let file = code.files.iter().find(|file| file.text.lines().any(|line| line.starts_with("server") && line.contains('=')))?;
            server::serve_wsgi(project, &app_object::object(source, file, "server", false)?)
        }
        Serving::Command(line) => {
            let file = program::file(source, code, framework.module())?;
            let module = app_object::module_of(&file);
            if line.contains("{module}") && module.is_none() {
                return None;
            }
            format!("exec {}", line.replace("{file}", &server::quoted(&file)).replace("{module}", &module.unwrap_or_default()))
        }
        Serving::Marimo => {
            let file = code.files.iter().find(|file| file.text.contains("marimo.App("))?;
            format!("exec marimo run {} --host 0.0.0.0 --port $PORT --headless", server::quoted(&file.path))
        }
        Serving::MkDocs => "exec python -m http.server --bind 0.0.0.0 --directory site $PORT".into(),
        Serving::Program => return None,
    };
    Some(Start::new(shell(line), framework.name))
}

fn of_django(source: &Source, project: &Project) -> Option<Start> {
    let django = django::find(source);
    Some(Start { others: django.release().into_iter().collect(), ..Start::new(django.web(source, project)?, "Django") })
}

fn of_wsgi(source: &Source, project: &Project, code: &Code, framework: Framework, constructors: &[&str]) -> Option<Start> {
    let stated = stated_flask_app(source).and_then(|(file, name)| {
        let file = code.file(&file)?;
        app_object::object(source, file, &name, false)
    });
    let app = stated.or_else(|| app_object::find(source, code, constructors))?;
    let text = code.file(&app.file).map_or("", |file| file.text.as_str());
    let has_server = project.uses("gunicorn") || project.uses("waitress");
    if !has_server && !app.is_factory && app.dir.is_none() && text.contains("PORT") && text.contains("run(") {
        // A program that asks for PORT itself knows best how it wants to be started.
        return Some(Start::new(argv(["python", &app.file]), framework.name));
    }
    Some(Start::new(shell(server::serve_wsgi(project, &app)), framework.name))
}

/// `FLASK_APP` of `.flaskenv`, as a file and the name within.
fn stated_flask_app(source: &Source) -> Option<(String, String)> {
    let text = source.peek(".flaskenv")?;
    let value = text.lines().find_map(|line| line.trim().trim_start_matches("export ").strip_prefix("FLASK_APP="))?;
    let value = value.trim().trim_matches(['"', '\'']);
    let (module, name) = value.split_once(':').unwrap_or((value, "app"));
    let path = if module.ends_with(".py") { module.to_owned() } else { format!("{}.py", module.replace('.', "/")) };
    let holds_it = source.peek(&path)?.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=')));
    holds_it.then(|| (path, name.to_owned()))
}

/// `wsgi.py` and `asgi.py` of no framework that is known here.
fn by_interface(source: &Source, project: &Project, code: &Code, framework: Option<Framework>) -> Option<Start> {
    if framework.is_some_and(|framework| framework.serving == Serving::Program) {
        return None;
    }
    if let Some(app) = app_object::of_interface_file(source, code, "asgi.py") {
        return Some(Start::new(shell(server::serve_asgi(project, &app)), "asgi.py"));
    }
    let app = app_object::of_interface_file(source, code, "wsgi.py")?;
    Some(Start::new(shell(server::serve_wsgi(project, &app)), "wsgi.py"))
}

fn of_program(source: &Source, project: &Project, code: &Code, framework: Option<Framework>) -> Option<Start> {
    let Program { command, file, why } = program::find(source, project, code)?;
    if framework.is_some_and(|framework| framework.name == "gradio") {
        let file = program::file(source, code, "gradio")?;
        let line = format!("GRADIO_SERVER_PORT=$PORT exec python {}", server::quoted(&file));
        return Some(Start { env: vec![("GRADIO_SERVER_NAME".into(), "0.0.0.0".into())], ..Start::new(shell(line), "gradio") });
    }
    let text = file.and_then(|file| source.peek(&file)).unwrap_or_default();
    let is_bot = framework.is_none() && BOTS.iter().any(|bot| project.uses(bot)) && !LISTENING.iter().any(|sign| text.contains(sign));
    Some(Start { listens: !is_bot, ..Start::new(command, why) })
}
