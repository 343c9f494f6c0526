//! Where the application object of a WSGI or ASGI framework is, found in the text of the usual files.

use slipway_buildpack_sdk::Source;

/// The files in which people put it, the likeliest first.
const FILES: [&str; 22] = [
    "app.py",
    "main.py",
    "wsgi.py",
    "asgi.py",
    "application.py",
    "server.py",
    "api.py",
    "run.py",
    "index.py",
    "hello.py",
    "web.py",
    "app/main.py",
    "app/__init__.py",
    "app/app.py",
    "app/server.py",
    "api/main.py",
    "api/index.py",
    "src/main.py",
    "src/app.py",
    "src/server.py",
    "backend/main.py",
    "server/main.py",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppObject {
    pub file: String,
    /// Such as `app.main:app` or, for a factory, `app:create_app`.
    pub reference: String,
    pub is_factory: bool,
}

/// An object made by one of the constructors, or a function that returns one.
pub fn find(source: &Source, constructors: &[&str]) -> Option<AppObject> {
    let mut factory = None;
    let packages = source
        .list(".")
        .into_iter()
        .filter(|entry| entry.is_dir)
        .flat_map(|entry| ["__init__.py", "main.py", "app.py", "wsgi.py", "server.py"].map(|file| format!("{}/{file}", entry.name)));
    let files: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).chain(packages).collect();
    for file in files {
        let Some(text) = source.peek(&file) else { continue };
        if let Some(name) = text.lines().find_map(|line| assigned(line, constructors)) {
            return Some(AppObject { reference: format!("{}:{name}", module_of(&file)), file, is_factory: false });
        }
        if factory.is_none()
            && let Some(name) = ["create_app", "make_app", "build_app"].into_iter().find(|name| text.contains(&format!("def {name}(")))
            && constructors.iter().any(|constructor| text.contains(constructor))
        {
            factory = Some(AppObject { reference: format!("{}:{name}", module_of(&file)), file, is_factory: true });
        }
    }
    factory
}

/// The `app` of `app = Flask(__name__)`, at the top level of a module.
fn assigned<'a>(line: &'a str, constructors: &[&str]) -> Option<&'a str> {
    let (left, right) = line.split_once('=')?;
    // `app: FastAPI = FastAPI()`; `app, rt = fast_app()`.
    let name = left.split([':', ',']).next()?;
    let name = name.trim_end();
    let is_name = !name.is_empty()
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let right = right.trim_start();
    let calls = constructors.iter().any(|constructor| {
        let call = right.split('(').next().unwrap_or_default().trim_end();
        right.contains('(') && (call == *constructor || call.rsplit('.').next() == Some(constructor))
    });
    (is_name && calls).then_some(name)
}

pub fn module_of(file: &str) -> String {
    file.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_at_the_top_level_is_found() {
        let names = |line| assigned(line, &["Flask", "FastAPI", "fast_app"]);
        assert_eq!(names("app = Flask(__name__)"), Some("app"));
        assert_eq!(names("api: FastAPI = fastapi.FastAPI(title='x')"), Some("api"));
        assert_eq!(names("app, rt = fast_app()"), Some("app"));
        for other in ["    app = Flask(__name__)", "x = Flasks()", "app = Flask", "if a == Flask():"] {
            assert_eq!(names(other), None, "{other}");
        }
    }

    #[test]
    fn files_become_modules() {
        assert_eq!(module_of("app/__init__.py"), "app");
        assert_eq!(module_of("src/main.py"), "src.main");
    }
}
