//! `slipway plan --explain`: of each decision what was found, in which file, why it won, and what would change it.

use std::fmt;

use slipway_buildpack_host::ResolvedTools;
use slipway_buildpack_wit::{Diagnostic, HealthBasis, Plan as BuildPlan, Probe, Process, ProcessKind, Tool};

use super::{command, place};

struct Decision {
    what: String,
    /// With the file.
    found: Vec<String>,
    because: String,
    changed_by: String,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        for found in &self.found {
            writeln!(f, "  found    {found}")?;
        }
        writeln!(f, "  because  {}", self.because)?;
        writeln!(f, "  changed by  {}", self.changed_by)
    }
}

pub fn of(plan: &BuildPlan, resolved: &ResolvedTools, procfile: Option<&str>) -> String {
    let fragment = &plan.fragment;
    let mut decisions = vec![runtime(plan)];
    decisions.extend(fragment.tools.iter().map(|tool| version(tool, resolved)));
    decisions.extend(serving(plan));
    decisions.extend(fragment.processes.iter().map(|process| started(process, procfile)));
    decisions.extend(fragment.ports.iter().map(|port| Decision {
        what: format!("port {}", port.default),
        found: Vec::new(),
        because: format!("it is usual for what was found; the process is told by ${}", port.env),
        changed_by: "the application's port in its settings".into(),
    }));
    decisions.extend(health(plan));
    let decisions: Vec<_> = decisions.iter().map(ToString::to_string).collect();
    let remarks: String = fragment.diagnostics.iter().map(remark).collect();
    let separator = if remarks.is_empty() { "" } else { "\n" };
    format!("{}{separator}{remarks}\nplan {}\n", decisions.join("\n"), plan.id())
}

fn runtime(plan: &BuildPlan) -> Decision {
    let detection = &plan.detection;
    let about = [("framework", &detection.framework), ("package manager", &detection.package_manager)];
    let about = about.into_iter().filter_map(|(what, name)| Some(format!(", {what} {}", name.as_ref()?)));
    let found = detection.reasons.iter().map(|reason| format!("{}: {}", located(&reason.file, reason.key.as_deref()), reason.why));
    let changed_by = match &plan.fragment.dockerfile {
        Some(dockerfile) => format!("removing {}, or --runtime", dockerfile.path),
        None => "--runtime, a Dockerfile, or other files in its place".into(),
    };
    Decision {
        what: format!("built as {}{}", plan.buildpack, about.collect::<String>()),
        found: found.collect(),
        because: format!("of all buildpacks this one fits best, with a score of {} out of 100", detection.score),
        changed_by,
    }
}

fn version(tool: &Tool, resolved: &ResolvedTools) -> Decision {
    let Tool { name, constraint, source, is_default } = tool;
    let is_stated = !is_default && !source.is_empty();
    let because = match (resolved.lock.get(name), resolved.notices.get(name)) {
        (None, _) => "no plugin here knows which versions there are".into(),
        (Some(locked), None) => format!("the lock has it for `{constraint}`, with the image {}", locked.run_image),
        (Some(locked), Some(notices)) => {
            let chosen = format!("it is what `{constraint}` comes to, with the image {}", locked.run_image);
            std::iter::once(chosen).chain(notices.iter().cloned()).collect::<Vec<_>>().join("; ")
        }
    };
    let known = resolved.lock.get(name).map_or("of unknown version", |locked| &locked.version);
    let stating = match name.as_str() {
        "node" => "`engines.node` in package.json, or .nvmrc",
        "python" => "`requires-python` in pyproject.toml, or .python-version",
        "php" => "`require.php` in composer.json",
        _ => "a version where the tool itself reads it",
    };
    Decision {
        what: format!("{name} {known}"),
        found: vec![if is_stated {
            format!("{}: `{constraint}`", source.replacen('#', " ", 1))
        } else {
            format!("no version stated: `{constraint}` by default")
        }],
        because,
        changed_by: if is_stated { source.replacen('#', " ", 1) } else { stating.into() },
    }
}

fn serving(plan: &BuildPlan) -> Option<Decision> {
    let site = plan.fragment.static_site.as_ref()?;
    let fallback = if site.spa_fallback { "; paths that are no file get its index.html" } else { "" };
    Some(Decision {
        what: format!("served as files from {}", site.dir),
        found: Vec::new(),
        because: format!("what is built needs no process to answer{fallback}"),
        changed_by: "a `web` line in a Procfile, or a start command in the application's settings".into(),
    })
}

fn started(process: &Process, procfile: Option<&str>) -> Decision {
    let name = &process.name;
    let stated = procfile.filter(|text| text.lines().any(|line| line.split(':').next() == Some(name)));
    let kind = match process.kind {
        ProcessKind::Web => "what visitors reach",
        ProcessKind::Worker => "runs beside the web process",
        ProcessKind::Release => "runs once before a deployment goes live",
        ProcessKind::Cron => "runs by the clock",
    };
    let command = command(&process.command);
    Decision {
        what: format!("process {name}: {}", if command.is_empty() { "the image's own command" } else { &command }),
        found: stated.map(|_| format!("Procfile: {name}")).into_iter().collect(),
        because: format!(
            "{}; {kind}",
            if stated.is_some() { "a Procfile goes before what is guessed" } else { "it follows from what was found" }
        ),
        changed_by: match process.kind {
            ProcessKind::Web => format!("a `{name}` line in a Procfile, or a start command in the application's settings"),
            _ => format!("a `{name}` line in a Procfile"),
        },
    }
}

fn health(plan: &BuildPlan) -> Option<Decision> {
    let health = plan.fragment.health.as_ref()?;
    let probe = match &health.probe {
        Probe::Http(path) => format!("GET {path}"),
        Probe::Tcp => "a connection to the port".into(),
        Probe::Command(words) => words.join(" "),
    };
    let because = match health.basis {
        HealthBasis::Stated => "the application states it",
        HealthBasis::Guessed => "nothing states one, and this is true of most",
    };
    Some(Decision {
        what: format!("healthy when answering {probe} within {} s", health.grace_seconds),
        found: Vec::new(),
        because: because.into(),
        changed_by: "the health check in the application's settings".into(),
    })
}

fn remark(Diagnostic { code, message, file, line, .. }: &Diagnostic) -> String {
    format!("note: {} [{code}]\n", place(message.clone(), file.as_deref(), *line))
}

fn located(file: &str, key: Option<&str>) -> String {
    key.map_or_else(|| file.to_owned(), |key| format!("{file} {key}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use slipway_buildpack_wit::{Command, Detection, Fragment, Lock, LockedTool, Reason};

    use super::*;

    fn plan() -> BuildPlan {
        let reason = Reason { file: "package.json".into(), key: Some("scripts.start".into()), why: "starts it".into() };
        let web = Process {
            name: "web".into(),
            kind: ProcessKind::Web,
            command: Command::Shell("node server.js".into()),
            env: Vec::new(),
            is_default: true,
        };
        BuildPlan {
            buildpack: "node".into(),
            detection: Detection {
                app_root: ".".into(),
                score: 90,
                framework: None,
                package_manager: Some("npm".into()),
                reasons: vec![reason],
                provides: Vec::new(),
                requires: Vec::new(),
            },
            beside: Vec::new(),
            fragment: Fragment {
                tools: vec![Tool {
                    name: "node".into(),
                    constraint: "^18".into(),
                    source: "package.json#engines.node".into(),
                    is_default: false,
                }],
                processes: vec![web],
                ..Fragment::default()
            },
        }
    }

    fn lock() -> Lock {
        let image = "node:18-slim".to_owned();
        let locked = LockedTool { constraint: "^18".into(), version: "18.20.8".into(), build_image: image.clone(), run_image: image };
        Lock::from([("node".to_owned(), locked)])
    }

    #[test]
    fn each_decision_says_what_was_found_why_and_what_would_change_it() {
        let notices = BTreeMap::from([("node".to_owned(), vec!["it has ended.".to_owned()])]);
        let plan = plan();
        let text = of(&plan, &ResolvedTools { lock: lock(), notices }, None);
        let expected = format!(
            "built as node, package manager npm
  found    package.json scripts.start: starts it
  because  of all buildpacks this one fits best, with a score of 90 out of 100
  changed by  --runtime, a Dockerfile, or other files in its place

node 18.20.8
  found    package.json engines.node: `^18`
  because  it is what `^18` comes to, with the image node:18-slim; it has ended.
  changed by  package.json engines.node

process web: node server.js
  because  it follows from what was found; what visitors reach
  changed by  a `web` line in a Procfile, or a start command in the application's settings

plan {}
",
            plan.id()
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn what_a_lock_or_a_procfile_decides_is_said_to_be_theirs() {
        let text = of(&plan(), &ResolvedTools { lock: lock(), notices: BTreeMap::new() }, Some("web: node server.js\n"));
        assert!(text.contains("because  the lock has it for `^18`"), "{text}");
        assert!(text.contains("found    Procfile: web\n  because  a Procfile goes before what is guessed"), "{text}");
    }
}
