//! Servers for production: the lines that start them, and which one has to be installed.

use crate::{app_object::AppObject, project::Project, start::Start};

/// What is installed where the start command runs a server that the dependencies do not have.
const ADDED: [(&str, &str); 4] =
    [("gunicorn", "gunicorn>=23,<24"), ("uvicorn", "uvicorn>=0.30,<1"), ("hypercorn", "hypercorn>=0.17,<1"), ("daphne", "daphne>=4,<5")];

/// Dependencies, with their extras, that bring a server along.
const BRINGS: [(&str, &str); 8] = [
    ("uvicorn", "python-fasthtml"),
    ("uvicorn", "fastapi[standard]"),
    ("uvicorn", "fastapi[all]"),
    ("uvicorn", "litestar[standard]"),
    ("uvicorn", "fastapi-cli"),
    ("uvicorn", "gradio"),
    ("uvicorn", "connexion[uvicorn]"),
    ("hypercorn", "quart"),
];

/// A line that serves a WSGI application such as `shop.wsgi:application`.
pub fn wsgi(project: &Project, reference: &str, is_factory: bool) -> String {
    if project.uses("waitress") && !project.uses("gunicorn") {
        let call = if is_factory { "--call " } else { "" };
        return format!("exec waitress-serve --listen=0.0.0.0:$PORT {call}{reference}");
    }
    // Quoted for the parentheses of a factory.
    let reference = if is_factory { format!("'{reference}()'") } else { reference.to_owned() };
    format!("exec gunicorn --bind 0.0.0.0:$PORT {reference}")
}

/// A line that serves an ASGI application.
pub fn asgi(project: &Project, reference: &str, is_factory: bool) -> String {
    let prefers_hypercorn = has(project, "hypercorn") && !has(project, "uvicorn");
    if prefers_hypercorn {
        let reference = if is_factory { format!("'{reference}()'") } else { reference.to_owned() };
        return format!("exec hypercorn --bind 0.0.0.0:$PORT {reference}");
    }
    let factory = if is_factory { " --factory" } else { "" };
    format!("exec uvicorn --host 0.0.0.0 --port $PORT{factory} {reference}")
}

/// The same for Django, whose own server for ASGI is Daphne.
pub fn asgi_of_django(project: &Project, reference: &str) -> String {
    if project.uses("daphne") || project.uses("channels[daphne]") {
        return format!("exec daphne -b 0.0.0.0 -p $PORT {reference}");
    }
    asgi(project, reference, false)
}

pub fn serve_wsgi(project: &Project, app: &AppObject) -> String {
    in_dir(app.dir.as_deref(), &wsgi(project, &app.reference, app.is_factory))
}

pub fn serve_asgi(project: &Project, app: &AppObject) -> String {
    in_dir(app.dir.as_deref(), &asgi(project, &app.reference, app.is_factory))
}

/// A line that begins with `exec`, run in a directory below the root.
pub fn in_dir(dir: Option<&str>, line: &str) -> String {
    dir.map_or_else(|| line.to_owned(), |dir| format!("cd {} && {line}", quoted(dir)))
}

/// A word as a shell reads it back.
pub fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A server that the start command runs and the dependencies do not have; it is then installed beside them.
pub fn missing(project: &Project, start: &Start) -> Option<&'static str> {
    if start.is_stated() {
        return None;
    }
    let server = program_of(start)?;
    ADDED.into_iter().find(|(name, _)| *name == server && !has(project, name)).map(|(_, package)| package)
}

/// A server in the customer's own start command that the dependencies do not have.
pub fn missing_in_stated(project: &Project, start: &Start) -> Option<&'static str> {
    let server = program_of(start).filter(|_| start.is_stated())?;
    ADDED.into_iter().map(|(name, _)| name).find(|name| *name == server && !has(project, name))
}

fn program_of(start: &Start) -> Option<&str> {
    let slipway_buildpack_sdk::Command::Shell(line) = &start.web else { return None };
    let line = line.split_once(" && exec ").map_or(line.as_str(), |(_, line)| line);
    slipway_buildpack_sdk::first_word(line)
}

fn has(project: &Project, server: &str) -> bool {
    project.uses(server) || BRINGS.into_iter().any(|(brought, by)| brought == server && project.uses(by))
}
