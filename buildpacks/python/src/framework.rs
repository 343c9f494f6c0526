//! Which framework an application is written with: by its dependencies, and by what its files import where those do not tell.

use slipway_buildpack_sdk::Source;

use crate::{code::Code, project::Project};

/// How a framework's applications are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    Django,
    /// An object that a WSGI server calls, made by one of these.
    Wsgi(&'static [&'static str]),
    /// An object that an ASGI server calls, made by one of these.
    Asgi(&'static [&'static str]),
    Sanic,
    Falcon,
    Dash,
    /// A command of the framework itself. `{file}` is the program.
    Command(&'static str),
    Marimo,
    MkDocs,
    /// The program opens the port itself.
    Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framework {
    pub name: &'static str,
    /// A dependency that gives it away.
    package: &'static str,
    module: &'static str,
    /// The dependency alone does not say that it serves, as of an HTTP client that has a server too.
    only_if_imported: bool,
    pub serving: Serving,
}

const fn framework(name: &'static str, package: &'static str, module: &'static str, serving: Serving) -> Framework {
    Framework { name, package, module, only_if_imported: false, serving }
}

const fn if_imported(name: &'static str, package: &'static str, module: &'static str, serving: Serving) -> Framework {
    Framework { only_if_imported: true, ..framework(name, package, module, serving) }
}

/// The more particular before what they are made of.
const FRAMEWORKS: [Framework; 33] = [
    framework("django", "django", "django", Serving::Django),
    framework("fasthtml", "python-fasthtml", "fasthtml", Serving::Asgi(&["fast_app", "FastHTML"])),
    framework("reflex", "reflex", "reflex", Serving::Command("reflex run --env prod --backend-host 0.0.0.0 --backend-port $PORT")),
    framework("chainlit", "chainlit", "chainlit", Serving::Command("chainlit run {file} --host 0.0.0.0 --port $PORT --headless")),
    framework(
        "streamlit",
        "streamlit",
        "streamlit",
        Serving::Command("streamlit run {file} --server.port $PORT --server.address 0.0.0.0 --server.headless true"),
    ),
    framework("nicegui", "nicegui", "nicegui", Serving::Program),
    framework("mesop", "mesop", "mesop", Serving::Command("gunicorn --bind 0.0.0.0:$PORT {module}:me")),
    framework("litestar", "litestar", "litestar", Serving::Asgi(&["Litestar"])),
    framework("fastapi", "fastapi", "fastapi", Serving::Asgi(&["FastAPI"])),
    framework("gradio", "gradio", "gradio", Serving::Program),
    framework("dash", "dash", "dash", Serving::Dash),
    framework("marimo", "marimo", "marimo", Serving::Marimo),
    framework("panel", "panel", "panel", Serving::Command("panel serve {file} --address 0.0.0.0 --port $PORT --allow-websocket-origin=*")),
    framework("sanic", "sanic", "sanic", Serving::Sanic),
    framework("quart", "quart", "quart", Serving::Asgi(&["Quart"])),
    framework("connexion", "connexion", "connexion", Serving::Asgi(&["FlaskApp", "AsyncApp", "App"])),
    framework("blacksheep", "blacksheep", "blacksheep", Serving::Asgi(&["Application"])),
    framework("robyn", "robyn", "robyn", Serving::Program),
    framework("flask", "flask", "flask", Serving::Wsgi(&["Flask", "APIFlask", "OpenAPI"])),
    framework("falcon", "falcon", "falcon", Serving::Falcon),
    framework("bottle", "bottle", "bottle", Serving::Wsgi(&["Bottle", "default_app"])),
    framework("pyramid", "pyramid", "pyramid", Serving::Wsgi(&["make_wsgi_app"])),
    framework("cherrypy", "cherrypy", "cherrypy", Serving::Program),
    framework("starlette", "starlette", "starlette", Serving::Asgi(&["Starlette"])),
    if_imported("aiohttp", "aiohttp", "aiohttp.web", Serving::Program),
    if_imported("tornado", "tornado", "tornado.web", Serving::Program),
    framework("hug", "hug", "hug", Serving::Program),
    framework("masonite", "masonite", "masonite", Serving::Program),
    framework("web2py", "web2py", "gluon", Serving::Program),
    framework("emmett", "emmett", "emmett", Serving::Asgi(&["App"])),
    framework("socketify", "socketify", "socketify", Serving::Program),
    if_imported("twisted", "twisted", "twisted.web", Serving::Program),
    if_imported("mkdocs", "mkdocs", "mkdocs", Serving::MkDocs),
];

/// Dependencies that bring a framework which the application then imports.
const MKDOCS_PACKAGES: [&str; 3] = ["mkdocs", "mkdocs-material", "zensical"];

pub fn find(source: &Source, project: &Project, code: &Code) -> Option<Framework> {
    let imports = |framework: &Framework| first_use(code, framework);
    let is_django_project = |file: &crate::code::CodeFile| file.text.contains("django") || file.text.trim().is_empty();
    if code.file("manage.py").is_some_and(is_django_project) {
        return Some(FRAMEWORKS[0]);
    }
    let stated: Vec<Framework> = FRAMEWORKS.into_iter().filter(|framework| project.uses(framework.package)).collect();
    let imported = |list: &[Framework]| {
        // By the file that is likelier to be started; within one, by the order above.
        let found = list.iter().filter_map(|framework| Some((imports(framework)?, *framework)));
        found.min_by_key(|(file, _)| *file).map(|(_, framework)| framework)
    };
    imported(&stated)
        .or_else(|| stated.iter().copied().find(|framework| !framework.only_if_imported))
        .or_else(|| imported(&FRAMEWORKS))
        .or_else(|| {
            let is_site = source.first_file(&["mkdocs.yml", "mkdocs.yaml"]).is_some();
            (is_site && MKDOCS_PACKAGES.iter().any(|package| project.uses(package))).then(|| FRAMEWORKS[FRAMEWORKS.len() - 1])
        })
}

/// The first file that imports the framework, or the part of it that serves.
fn first_use(code: &Code, framework: &Framework) -> Option<usize> {
    let parts = framework.module.split_once('.');
    code.files.iter().position(|file| {
        file.imports(framework.module)
            || parts.is_some_and(|(module, part)| {
                file.text.lines().any(|line| line.trim_start().starts_with(&format!("from {module} import")) && line.contains(part))
                    || file.imports(module) && file.text.contains(&format!("{module}.{part}."))
            })
    })
}

impl Framework {
    /// Whether its package is among the dependencies of the application itself.
    pub fn is_stated(&self, project: &Project) -> bool {
        project.uses(self.package)
    }

    pub fn module(&self) -> &'static str {
        self.module
    }
}
