//! The plan: the Dockerfile, adapted where the builder here could not read it, and what running its image means.

use slipway_buildpack_sdk::{
    Command, Context, Diagnostic, Dockerfile, Fragment, Health, HealthBasis, Port, Probe, Process, ProcessKind, Refusal, Source, info,
    refuse, stated_start, warning,
};

use crate::{
    parse::{Parsed, parse},
    stages::{Running, Words, running, stages, target},
};

/// Where a Dockerfile says nothing of ports.
const DEFAULT_PORT: u16 = 8080;

pub fn plan(source: &Source, context: &Context, path: Option<&str>) -> Result<Fragment, Refusal> {
    let Some(path) = path else {
        let wanted = context.dockerfile_path.as_deref().unwrap_or("Dockerfile");
        return Err(refuse("DOCKERFILE_NOT_FOUND", format!("There is no `{wanted}` below the application's root."))
            .at(wanted)
            .fix("Correct the path of the Dockerfile in the application's settings."));
    };
    let text = source.read(path)?.unwrap_or_default();
    let parsed = parse(&text);
    let stages = stages(&parsed);
    if stages.is_empty() {
        return Err(refuse("DOCKERFILE_NO_FROM", format!("`{path}` has no `FROM`, so there is nothing to build from."))
            .at(path)
            .fix("Begin it with `FROM <image>`."));
    }
    let wanted = context.build_target.as_deref();
    let Some(stage) = target(&stages, wanted) else {
        let names: Vec<_> = stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
        return Err(refuse("DOCKERFILE_TARGET_UNKNOWN", format!("`{path}` has no stage `{}`.", wanted.unwrap_or_default())).at(path).fix(
            if names.is_empty() {
                "Clear the build target.".to_owned()
            } else {
                format!("Set the build target to one of: {}.", names.join(", "))
            },
        ));
    };
    let running = running(&stages, stage);
    let mut diagnostics = Vec::new();
    let text = adapt(&text, &parsed, path, &mut diagnostics);
    let ports = ports(&running, path, &mut diagnostics);
    if is_root(running.user.as_deref()) {
        let message = "No `USER` is set, so the program runs as root within its container. Add `USER 1000:1000` near the end.";
        diagnostics.push(info("DOCKERFILE_RUNS_AS_ROOT", message, Some(path)));
    }
    let health = match &running.health {
        Some(words) => Health { probe: Probe::Command(in_exec_form(words)), grace_seconds: 60, basis: HealthBasis::Stated },
        None => Health { probe: Probe::Tcp, grace_seconds: 60, basis: HealthBasis::Guessed },
    };
    let web = Process {
        name: "web".into(),
        kind: ProcessKind::Web,
        command: command(source, context, &running),
        env: Vec::new(),
        is_default: true,
    };
    Ok(Fragment {
        dockerfile: Some(Dockerfile {
            path: path.to_owned(),
            context: ".".into(),
            target: context.build_target.clone(),
            args: Vec::new(),
            text,
        }),
        processes: vec![web],
        ports,
        health: Some(health),
        diagnostics,
        ..Fragment::default()
    })
}

/// The text without what the builder in the Docker daemon cannot read: a frontend that would have to be fetched.
fn adapt(text: &str, parsed: &Parsed, path: &str, diagnostics: &mut Vec<Diagnostic>) -> String {
    if let Some(heredoc) = parsed.instructions.iter().find(|instruction| instruction.has_heredoc) {
        let message = "A here-document needs Docker 23 or newer on the machine that builds.";
        diagnostics.push(Diagnostic { line: Some(heredoc.line), ..warning("DOCKERFILE_HEREDOC", message, Some(path)) });
    }
    let Some((frontend, line)) = &parsed.syntax else { return text.to_owned() };
    let message = format!("The line `# syntax={frontend}` is left out: builds use the frontend of the Docker daemon.");
    diagnostics.push(Diagnostic { line: Some(*line), ..info("DOCKERFILE_SYNTAX_IGNORED", message, Some(path)) });
    let mut adapted: Vec<&str> = text.lines().collect();
    adapted.remove(*line as usize - 1);
    adapted.join("\n") + "\n"
}

fn ports(running: &Running, path: &str, diagnostics: &mut Vec<Diagnostic>) -> Vec<Port> {
    let port = |name: String, default| Port { name, env: "PORT".into(), default };
    let stated = running.env.get("PORT").and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    match (&running.ports[..], stated) {
        ([], Some(stated)) => vec![port("http".into(), stated)],
        ([], None) => {
            let message =
                format!("No `EXPOSE` says which port the program listens on; {DEFAULT_PORT} is assumed, and given to it as PORT.");
            diagnostics.push(warning("DOCKERFILE_NO_EXPOSE", message, Some(path)));
            vec![port("http".into(), DEFAULT_PORT)]
        }
        ([first, rest @ ..], stated) => {
            // Of several, the one that the program is told is the one it serves on.
            let first = stated.filter(|stated| running.ports.contains(stated)).unwrap_or(*first);
            if !rest.is_empty() {
                let message = format!("Several ports are exposed; visitors are led to {first}.");
                diagnostics.push(info("DOCKERFILE_SEVERAL_PORTS", message, Some(path)));
            }
            let others = running.ports.iter().filter(|other| **other != first).map(|other| port(format!("port-{other}"), *other));
            std::iter::once(port("http".into(), first)).chain(others).collect()
        }
    }
}

/// The settings' command, else the image's own. With an ENTRYPOINT the image's own is left unsaid, for it would become an
/// argument.
fn command(source: &Source, context: &Context, running: &Running) -> Command {
    if let Some(stated) = stated_start(source, context).filter(|stated| stated.file.is_none()) {
        return Command::Shell(stated.command);
    }
    match (&running.entrypoint, &running.command) {
        (None, Some(Words::Exec(words))) if !words.is_empty() => Command::Argv(words.clone()),
        (None, Some(Words::Shell(line))) if !line.is_empty() => Command::Shell(line.clone()),
        _ => Command::Argv(Vec::new()),
    }
}

fn in_exec_form(words: &Words) -> Vec<String> {
    match words {
        Words::Exec(words) => words.clone(),
        Words::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
    }
}

fn is_root(user: Option<&str>) -> bool {
    user.is_none_or(|user| matches!(user.split(':').next(), Some("root" | "0")))
}
