//! Small applications, written where they are tested.
#![allow(dead_code, reason = "each test uses a part")]

use std::{fs, path::Path};

use slipway_buildpack_python::Python;
use slipway_buildpack_sdk::{Buildpack, Command, Context, Detected, Detection, Fragment, Refusal, Source};

pub struct App {
    dir: tempfile::TempDir,
    pub context: Context,
}

pub fn app(files: &[(&str, &str)]) -> App {
    let bytes: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    app_of_bytes(&bytes)
}

pub fn app_of_bytes(files: &[(&str, &[u8])]) -> App {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or_else(|| Path::new("/"))).unwrap();
        fs::write(path, bytes).unwrap();
    }
    App { dir, context: Context::default() }
}

impl App {
    pub fn source(&self) -> Source {
        Source::open(self.dir.path(), ".").unwrap()
    }

    pub fn detect(&self) -> Detected {
        Python.detect(&self.source(), &self.context)
    }

    pub fn detection(&self) -> Detection {
        match self.detect() {
            Detected::Yes(detection) => detection,
            other => panic!("{other:?}"),
        }
    }

    pub fn framework(&self) -> Option<String> {
        self.detection().framework
    }

    pub fn plan(&self) -> Result<Fragment, Refusal> {
        Python.plan(&self.source(), &self.context, &self.detection())
    }

    pub fn planned(&self) -> Fragment {
        self.plan().unwrap()
    }

    /// The command of the default process, as text.
    pub fn start(&self) -> String {
        let plan = self.planned();
        plan.processes.iter().find(|process| process.is_default).map_or_else(String::new, |process| text(&process.command))
    }

    pub fn refusal(&self) -> Refusal {
        match self.detect() {
            Detected::Refused(refusal) => refusal,
            Detected::Yes(_) => self.plan().unwrap_err(),
            Detected::No(_) => panic!("not recognised"),
        }
    }

    /// The ids of what is said about the application.
    pub fn diagnostics(&self) -> Vec<String> {
        self.planned().diagnostics.into_iter().map(|diagnostic| diagnostic.code).collect()
    }
}

pub fn text(command: &Command) -> String {
    match command {
        Command::Shell(line) => line.clone(),
        Command::Argv(words) => words.join(" "),
    }
}
