//! The small applications that a buildpack's author wrote, and the answers expected of them.
//!
//! `fixtures/NAME/app/` is the source, `fixtures/NAME/expected.json` the answer, and `fixtures/NAME/context.json`, where there is
//! one, what the customer's settings say.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use slipway_buildpack_host::{Buildpack, contract::Context};

use super::{
    TrialError,
    answer::{ask, difference, document, fault, in_brief},
    report::{About, Check},
};

/// One application.
#[derive(Debug, Clone)]
pub struct Fixture {
    pub name: String,
    pub context: Context,
    directory: PathBuf,
}

/// Why fixtures cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// The file system says no.
    #[error("{path}: {cause}")]
    Unreadable {
        /// Of the file.
        path: String,
        /// Why not.
        cause: io::Error,
    },
    /// A file holds something else.
    #[error("{path} is not {wanted}: {cause}")]
    Malformed {
        /// Of the file.
        path: String,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
}

impl Fixture {
    pub fn app(&self) -> PathBuf {
        self.directory.join("app")
    }

    fn expected(&self) -> PathBuf {
        self.directory.join("expected.json")
    }
}

/// By name. A directory without an `app/` is none.
pub fn read_all(directory: &Path) -> Result<Vec<Fixture>, FixtureError> {
    let unreadable = |cause| FixtureError::Unreadable { path: directory.display().to_string(), cause };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut fixtures = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let directory = entry.path();
        if directory.join("app").is_dir() {
            let context = read_context(&directory.join("context.json"))?;
            fixtures.push(Fixture { name: entry.file_name().to_string_lossy().into_owned(), context, directory });
        }
    }
    fixtures.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(fixtures)
}

/// A misspelt key would otherwise be a setting that nobody makes.
fn read_context(path: &Path) -> Result<Context, FixtureError> {
    let malformed = |cause| FixtureError::Malformed { path: path.display().to_string(), wanted: "a buildpack's context", cause };
    let Some(stated) = read_json::<Value>(path, "a document in JSON")? else { return Ok(Context::default()) };
    let known = serde_json::to_value(Context::default()).map_err(malformed)?;
    let unknown = stated.as_object().into_iter().flatten().map(|(key, _)| key).find(|key| known.get(key.as_str()).is_none());
    match unknown {
        Some(key) => Err(malformed(serde::de::Error::custom(format!("unknown key `{key}`")))),
        None => serde_json::from_value(stated).map_err(malformed),
    }
}

/// `None`: there is no such file.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path, wanted: &'static str) -> Result<Option<T>, FixtureError> {
    let name = || path.display().to_string();
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|cause| FixtureError::Malformed { path: name(), wanted, cause }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(FixtureError::Unreadable { path: name(), cause }),
    }
}

pub async fn check(buildpack: &Buildpack, fixture: &Fixture, update: bool) -> Result<Check, TrialError> {
    let answer = ask(buildpack, &fixture.app(), &fixture.context).await;
    let name = &fixture.name;
    if let Some(fault) = fault(&answer, &fixture.app()) {
        return Ok(Check::failed(About::Fixtures, name, &fault[0], fault[1..].to_vec()));
    }
    let path = fixture.expected();
    let expected: Option<Value> = match read_json(&path, "a document in JSON") {
        // What is written anew need not be readable.
        Err(FixtureError::Malformed { .. }) if update => None,
        other => other?,
    };
    let got = document(&answer);
    if expected.as_ref() == Some(&got) {
        return Ok(Check::passed(About::Fixtures, name, in_brief(&answer)));
    }
    if update {
        fs::write(&path, format!("{got:#}\n"))?;
        return Ok(Check::updated(About::Fixtures, name, format!("{}, which is what expected.json says now", in_brief(&answer))));
    }
    let Some(expected) = expected else {
        let problem = format!("there is no {}; the answer is: {}", path.display(), in_brief(&answer));
        return Ok(Check::failed(About::Fixtures, name, problem, vec!["`--update` writes it".into()]));
    };
    let shown = difference(&expected, &path.display().to_string(), &got, "got");
    Ok(Check::failed(About::Fixtures, name, format!("the answer is another one: {}", in_brief(&answer)), shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures_are_folders_with_an_app_and_may_state_a_context() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("plain/app/main.x", "");
        write("below/app/web/main.x", "");
        write("below/context.json", r#"{ "app_root": "web" }"#);
        write("README.md", "");
        write("notes/text", "");
        let read: Vec<_> =
            read_all(directory.path()).unwrap().into_iter().map(|fixture| (fixture.name, fixture.context.app_root)).collect();
        assert_eq!(read, [("below".to_owned(), "web".to_owned()), ("plain".to_owned(), ".".to_owned())]);
        write("below/context.json", r#"{ "approot": "web" }"#);
        assert!(read_all(directory.path()).unwrap_err().to_string().contains("unknown key `approot`"));
        assert!(read_all(&directory.path().join("absent")).unwrap().is_empty());
    }
}
