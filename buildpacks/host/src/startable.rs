//! A plan that can be built but not deployed: it says how to make the image, and nothing in the source says what to run.

use slipway_buildpack_wit::{Diagnostic, Level, Plan, ProcessKind, Refusal};

/// How the ids of diagnostics that say so end, such as `NODE_NO_START`.
const SAY_SO: [&str; 2] = ["NO_START", "WORKSPACE_ROOT"];

/// Whether a diagnostic is about nothing being there to start.
pub fn says_so(diagnostic: &Diagnostic) -> bool {
    SAY_SO.iter().any(|ending| diagnostic.code.ends_with(ending))
}

/// Why the plan cannot be deployed, when nothing of it would go on running.
#[must_use]
pub fn nothing_to_start(plan: &Plan) -> Option<Refusal> {
    let runs = plan.fragment.processes.iter().any(|process| process.kind != ProcessKind::Release);
    if runs {
        return None;
    }
    let told = plan.fragment.diagnostics.iter().find(|diagnostic| diagnostic.level == Level::Warning && says_so(diagnostic));
    Some(Refusal {
        code: told.map_or("NO_START", |diagnostic| &diagnostic.code).to_owned(),
        message: told.map_or("Nothing in the source says how the application is started.", |diagnostic| &diagnostic.message).to_owned(),
        file: told.and_then(|diagnostic| diagnostic.file.clone()),
        line: told.and_then(|diagnostic| diagnostic.line),
        fix: "Add a line `web: <command>` to a Procfile, or set the start command in the application's settings.".into(),
    })
}

#[cfg(test)]
mod tests {
    use slipway_buildpack_wit::{Command, Detection, Fragment, Process};

    use super::*;

    fn plan(kinds: &[ProcessKind], diagnostics: Vec<Diagnostic>) -> Plan {
        let process = |kind: &ProcessKind| Process {
            name: "p".into(),
            kind: *kind,
            command: Command::Argv(vec!["run".into()]),
            env: vec![],
            is_default: false,
        };
        Plan {
            buildpack: "node".into(),
            detection: Detection {
                app_root: ".".into(),
                score: 60,
                framework: None,
                package_manager: None,
                reasons: vec![],
                provides: vec![],
                requires: vec![],
            },
            beside: vec![],
            fragment: Fragment { processes: kinds.iter().map(process).collect(), diagnostics, ..Fragment::default() },
        }
    }

    #[test]
    fn a_worker_alone_is_something_to_run_and_a_release_process_is_not() {
        assert_eq!(nothing_to_start(&plan(&[ProcessKind::Worker], vec![])), None);
        assert_eq!(nothing_to_start(&plan(&[ProcessKind::Release], vec![])).unwrap().code, "NO_START");
    }

    #[test]
    fn the_refusal_speaks_in_the_words_of_the_buildpack() {
        let told = Diagnostic {
            level: Level::Warning,
            code: "NODE_NO_START".into(),
            message: "There is no `start` script.".into(),
            file: Some("package.json".into()),
            line: None,
        };
        let refusal = nothing_to_start(&plan(&[], vec![told])).unwrap();
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("NODE_NO_START", "There is no `start` script."));
        assert_eq!(refusal.file.as_deref(), Some("package.json"));
    }
}
