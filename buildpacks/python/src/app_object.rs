//! Where the application object of a WSGI or ASGI framework is, found in the text of the usual files.

use slipway_buildpack_sdk::Source;

use crate::code::{Code, CodeFile};

/// Functions that make the object, by the names that people give them.
const FACTORIES: [&str; 7] = ["create_app", "make_app", "build_app", "get_app", "create_application", "get_application", "app_factory"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppObject {
    pub file: String,
    /// Such as `app.main:app` or, for a factory, `app:create_app`.
    pub reference: String,
    pub is_factory: bool,
    /// The directory it is started in, where that is not the root.
    pub dir: Option<String>,
}

/// An object made by one of the constructors, or a function that returns one.
pub fn find(source: &Source, code: &Code, constructors: &[&str]) -> Option<AppObject> {
    let mut factory = None;
    let assigning: Vec<&str> = constructors.iter().chain(&FACTORIES).copied().collect();
    for file in &code.files {
        let names: Vec<&str> = file.text.lines().filter_map(|line| assigned(line, &assigning)).collect();
        // Of several, the one that servers look for.
        let name = names.iter().copied().find(|name| matches!(*name, "app" | "application")).or_else(|| names.first().copied());
        let found = name.or_else(|| imported_object(file)).and_then(|name| object(source, file, name, false));
        if found.is_some() {
            return found;
        }
        if factory.is_none()
            && let Some(name) = FACTORIES.into_iter().find(|name| file.text.lines().any(|line| defines(line, name)))
            && constructors.iter().any(|constructor| file.text.contains(constructor))
        {
            factory = object(source, file, name, true);
        }
    }
    factory
}

/// The object of a file that is named for the interface, whatever makes it.
pub fn of_interface_file(source: &Source, code: &Code, file: &str) -> Option<AppObject> {
    let file = code.file(file)?;
    let is_defined = |name: &str| {
        file.text.lines().any(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=') && !rest.trim_start().starts_with("=="))
                || defines(line, name)
        })
    };
    let name = ["application", "app"].into_iter().find(|name| is_defined(name)).or_else(|| imported_object(file))?;
    object(source, file, name, false)
}

/// The object by its name in a file.
pub fn object(source: &Source, file: &CodeFile, name: &str, is_factory: bool) -> Option<AppObject> {
    let dir = file.home(source);
    let path = match dir {
        Some(dir) => file.path.strip_prefix(dir)?.strip_prefix('/')?,
        None => &file.path,
    };
    let module = module_in(source, path)?;
    Some(AppObject { reference: format!("{module}:{name}"), file: file.path.clone(), is_factory, dir: dir.map(str::to_owned) })
}

/// `app` or `application` that `wsgi.py` and the like import to be served.
fn imported_object(file: &CodeFile) -> Option<&'static str> {
    if !matches!(file.path.as_str(), "wsgi.py" | "asgi.py") {
        return None;
    }
    let imports = |name: &str| {
        file.text.lines().filter(|line| line.starts_with("from ")).filter_map(|line| line.split_once(" import ")).any(|(_, names)| {
            let names = names.split('#').next().unwrap_or_default();
            names.split(',').any(|one| one.trim().trim_matches(['(', ')']).split_whitespace().last() == Some(name))
        })
    };
    ["application", "app"].into_iter().find(|name| imports(name))
}

fn defines(line: &str, function: &str) -> bool {
    let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ") else { return false };
    rest.trim_start().strip_prefix(function).is_some_and(|rest| rest.trim_start().starts_with('('))
}

/// The `app` of `app = Flask(__name__)`, at the top level of a module.
fn assigned<'a>(line: &'a str, constructors: &[&str]) -> Option<&'a str> {
    let (left, right) = line.split_once('=')?;
    // `app: FastAPI = FastAPI()`; `app, rt = fast_app()`.
    let name = left.split([':', ',']).next()?.trim_end();
    let (called, _) = right.split_once('(')?;
    // `application = app = Flask(__name__)`.
    let called = called.rsplit('=').next()?.trim();
    let calls = constructors.iter().any(|constructor| called == *constructor || called.rsplit('.').next() == Some(constructor));
    (is_identifier(name) && calls).then_some(name)
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The module of a file; `None` when its path is not one that Python imports.
pub fn module_of(file: &str) -> Option<String> {
    let path = file.trim_end_matches(".py").trim_end_matches("/__init__");
    path.split('/').all(is_identifier).then(|| path.replace('/', "."))
}

/// The same, where packages lie below `src`, which is on the path.
pub fn module_in(source: &Source, file: &str) -> Option<String> {
    match file.strip_prefix("src/") {
        Some(inner) if inner.contains('/') && !source.is_file("src/__init__.py") => module_of(inner),
        _ => module_of(file),
    }
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
        assert_eq!(names("application = app = Flask(__name__)"), Some("application"));
        for other in ["    app = Flask(__name__)", "x = Flasks()", "app = Flask", "if a == Flask():"] {
            assert_eq!(names(other), None, "{other}");
        }
    }

    #[test]
    fn files_become_modules() {
        assert_eq!(module_of("app/__init__.py").as_deref(), Some("app"));
        assert_eq!(module_of("src/main.py").as_deref(), Some("src.main"));
        assert_eq!(module_of("my-app/main.py"), None);
    }

    #[test]
    fn what_an_interface_file_imports_is_served() {
        let file = |text: &str| CodeFile::new("wsgi.py".into(), text.into());
        assert_eq!(imported_object(&file("from shop import app")), Some("app"));
        assert_eq!(imported_object(&file("from shop import server as application")), Some("application"));
        assert_eq!(imported_object(&file("from shop import create_app")), None);
    }
}
