//! Django: where the project is, which interface serves it, and what its settings ask of a build and a release.

use slipway_buildpack_sdk::{Command, Process, ProcessKind, Source, argv, shell};

use crate::{app_object::module_of, project::Project, server};

/// A value for settings that must be there and that nothing is signed with while static files are collected.
const PLACEHOLDER: &str = "only-while-static-files-are-collected";
const MOST_SETTINGS: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Django {
    /// The directory of `manage.py`; empty: the root.
    dir: String,
    has_manage: bool,
    settings: String,
}

pub fn find(source: &Source) -> Django {
    let manage = source.find(2, |path| path == "manage.py" || path.ends_with("/manage.py"));
    // The one that is nearest to the root.
    let manage = manage.into_iter().min_by_key(|path| path.matches('/').count());
    let dir = manage.as_deref().and_then(|path| path.rsplit_once('/')).map_or("", |(dir, _)| dir).to_owned();
    let is_settings = |path: &str| {
        path.ends_with(".py") && (path.ends_with("settings.py") || path.contains("settings/") || path.ends_with("config/base.py"))
    };
    let settings = source.find(4, |path| path.starts_with(&dir) && is_settings(path) && !is_of_tests(path));
    let settings = settings.iter().take(MOST_SETTINGS).filter_map(|path| source.peek(path)).collect::<Vec<_>>().join("\n");
    Django { dir, has_manage: manage.is_some(), settings }
}

impl Django {
    /// The web process, or `None` when the project has neither interface.
    pub fn web(&self, source: &Source, project: &Project) -> Option<Command> {
        let wsgi = self.application(source, "WSGI_APPLICATION", "wsgi.py");
        let asgi = self.application(source, "ASGI_APPLICATION", "asgi.py");
        let has = |package: &str| project.uses(package);
        let is_asynchronous = has("channels") && self.setting("ASGI_APPLICATION").is_some();
        let line = match (wsgi, asgi) {
            (_, Some(asgi)) if is_asynchronous || has("daphne") && !has("gunicorn") => server::asgi_of_django(project, &asgi),
            (_, Some(asgi)) if ["uvicorn", "hypercorn"].into_iter().any(has) && !has("gunicorn") && !has("waitress") => {
                server::asgi_of_django(project, &asgi)
            }
            (Some(wsgi), _) => server::wsgi(project, &wsgi, false),
            (None, Some(asgi)) => server::asgi_of_django(project, &asgi),
            (None, None) => return None,
        };
        Some(shell(server::in_dir(Some(self.dir.as_str()).filter(|dir| !dir.is_empty()), &line)))
    }

    /// Migrations run before a release, where there is a database.
    pub fn release(&self) -> Option<Process> {
        let without_database = self.setting("DATABASES").is_some_and(|value| value.starts_with("{}"));
        (self.has_manage && !without_database).then(|| Process {
            name: "release".into(),
            kind: ProcessKind::Release,
            command: argv(["python", &self.manage(), "migrate", "--noinput"]),
            env: Vec::new(),
            is_default: false,
        })
    }

    /// The command that collects static files, where the settings say where to.
    pub fn collect_static(&self) -> Option<Command> {
        let collects = self.has_manage && self.setting("STATIC_ROOT").is_some() && self.settings.contains("django.contrib.staticfiles");
        // Settings that leave the list of applications to another file are given the benefit of the doubt.
        let is_partial = self.has_manage && self.setting("STATIC_ROOT").is_some() && !self.settings.contains("INSTALLED_APPS");
        (collects || is_partial).then(|| argv(["python", &self.manage(), "collectstatic", "--noinput"]))
    }

    /// Values for the variables without which the settings cannot be read. Nothing secret is there in a build.
    pub fn build_env(&self) -> Vec<(String, String)> {
        let mut env: Vec<(String, String)> = Vec::new();
        for access in ["environ[", "environ.get(", "getenv(", "env(", "config(", "env.str(", "env.db(", "os.environ["] {
            for (at, _) in self.settings.match_indices(access) {
                let rest = &self.settings[at + access.len()..];
                let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
                let Some((name, after)) = rest[1..].split_once(quote) else { continue };
                let has_default = after.trim_start().starts_with(',');
                let is_name =
                    (1..=100).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
                let value = if name == "DATABASE_URL" {
                    "sqlite://:memory:"
                } else if name.contains("SECRET") {
                    PLACEHOLDER
                } else {
                    continue;
                };
                if is_name && !has_default && env.iter().all(|(known, _)| known != name) {
                    env.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        env.sort();
        env.truncate(20);
        env
    }

    pub fn uses_gis(&self) -> bool {
        self.settings.contains("django.contrib.gis")
    }

    fn manage(&self) -> String {
        if self.dir.is_empty() { "manage.py".into() } else { format!("{}/manage.py", self.dir) }
    }

    /// What is assigned to a setting, on its line.
    fn setting(&self, name: &str) -> Option<&str> {
        self.settings.lines().find_map(|line| {
            let rest = line.trim_start().strip_prefix(name)?.trim_start();
            let rest = rest.split_once('=').filter(|(annotation, _)| annotation.is_empty() || annotation.starts_with(':'))?.1;
            Some(rest.trim_start()).filter(|rest| !rest.starts_with('='))
        })
    }

    /// `shop.wsgi:application`, as the settings state it or else by the file.
    fn application(&self, source: &Source, setting: &str, file: &str) -> Option<String> {
        let stated = self.setting(setting).and_then(|value| {
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (path, _) = value[1..].split_once(quote)?;
            let (module, object) = path.rsplit_once('.')?;
            let file = format!("{}/{}.py", self.dir, module.replace('.', "/"));
            let exists = source.is_file(file.trim_start_matches('/'));
            (exists && module_of(&module.replace('.', "/")).is_some()).then(|| format!("{module}:{object}"))
        });
        stated.or_else(|| {
            let below = if self.dir.is_empty() { String::new() } else { format!("{}/", self.dir) };
            let found = source.find(4, |path| path.starts_with(&below) && path.ends_with(&format!("/{file}")) && !is_of_tests(path));
            let nearest = found.into_iter().min_by_key(|path| path.matches('/').count())?;
            let inner = nearest.strip_prefix(&below)?;
            let inner = if self.has_manage { inner } else { inner.strip_prefix("src/").unwrap_or(inner) };
            Some(format!("{}:application", module_of(inner)?))
        })
    }
}

/// Projects that tests set up are not the one that runs.
fn is_of_tests(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "test" | "tests" | "testing") || part.starts_with("test_"))
}
