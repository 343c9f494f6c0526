//! Small applications, written where the test is.

#![allow(dead_code, reason = "every file of tests uses some of it")]

use std::{fs, path::Path};

use slipway_buildpack_node::Node;
use slipway_buildpack_sdk::{Buildpack, Command, Context, Detected, Detection, Fragment, Refusal, Source};

/// An application of these files.
pub struct App {
    dir: tempfile::TempDir,
}

impl App {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    fn source(&self) -> Source {
        Source::open(self.dir.path(), ".").unwrap()
    }

    pub fn detected(&self) -> Detected {
        Node.detect(&self.source(), &Context::default())
    }

    pub fn detection(&self) -> Detection {
        match self.detected() {
            Detected::Yes(detection) => detection,
            other => panic!("{other:?}"),
        }
    }

    pub fn try_plan(&self) -> Result<Fragment, Refusal> {
        match self.detected() {
            // As the host asks for an application: whom it asks for assets, it tells which.
            Detected::Yes(detection) => Node.plan(&self.source(), &Context::default(), &Detection { provides: vec![], ..detection }),
            Detected::Refused(refusal) => Err(refusal),
            Detected::No(reasons) => panic!("{reasons:?}"),
        }
    }

    /// What is planned for another buildpack's application, which wants these directories.
    pub fn assets(&self, wanted: &[&str]) -> Fragment {
        let provides = wanted.iter().map(|name| (*name).to_owned()).collect();
        Node.plan(&self.source(), &Context::default(), &Detection { provides, ..self.detection() }).unwrap()
    }

    pub fn plan(&self) -> Fragment {
        self.try_plan().unwrap()
    }

    /// The whole text that the customer gets to read.
    pub fn refusal(&self) -> String {
        let refusal = self.try_plan().expect_err("a refusal");
        let file = refusal.file.unwrap_or_default();
        let line = refusal.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{} {file}{line} {} {}", refusal.code, refusal.message, refusal.fix)
    }
}

pub fn text(command: &Command) -> String {
    match command {
        Command::Argv(words) => words.join(" "),
        Command::Shell(line) => line.clone(),
    }
}

/// Every command that the plan runs while building.
pub fn commands(plan: &Fragment) -> Vec<String> {
    plan.steps.iter().flat_map(|step| &step.run).map(|run| text(&run.command)).collect()
}

/// How the plan serves: the command, or the directory of a site in the tree that was built.
pub fn serves(plan: &Fragment) -> String {
    match (&plan.static_site, plan.processes.first()) {
        (Some(_), _) => format!("files of {}", plan.image.as_ref().unwrap().layers[0].path),
        (None, Some(process)) => text(&process.command),
        (None, None) => "nothing".into(),
    }
}

pub fn codes(plan: &Fragment) -> Vec<&str> {
    plan.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect()
}
