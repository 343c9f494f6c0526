//! The plan: the Dockerfile, adapted where the builder here could not read it, and what running its image means.

use slipway_buildpack_sdk::{
    Command, Context, Diagnostic, Dockerfile, Fragment, Health, HealthBasis, Probe, Process, ProcessKind, Refusal, Source, info, refuse,
    stated_start, warning,
};

use crate::{
    check::check,
    locate,
    parse::{Parsed, parse},
    ports::ports,
    stages::{Running, Stage, Words, built_for, running, stages, target},
};

pub fn plan(source: &Source, context: &Context, path: Option<&str>) -> Result<Fragment, Refusal> {
    let Some(path) = path else {
        let wanted = context.dockerfile_path.as_deref().unwrap_or("Dockerfile");
        return Err(refuse("DOCKERFILE_NOT_FOUND", format!("There is no `{wanted}` below the application's root."))
            .at(wanted)
            .fix("Correct the path of the Dockerfile in the application's settings."));
    };
    let text = source.read(path)?.unwrap_or_default();
    let parsed = parse(&text);
    if let Some((frontend, line)) = locate::foreign_frontend(&parsed) {
        return Err(refuse(
            "DOCKERFILE_FRONTEND_UNKNOWN",
            format!("`{path}` is written for the frontend `{frontend}`, which builds here cannot use."),
        )
        .at(path)
        .line(line)
        .fix("Write it for `docker/dockerfile`, and remove the `# syntax=` line."));
    }
    check(&parsed, path)?;
    let stages = stages(&parsed);
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
    let built = built_for(&stages, stage);
    all_images_are_named(&built, path)?;
    let build_context = locate::build_context(source, path, &built);
    if let Some((absent, line)) = locate::first_absent(source, &build_context, &built) {
        return Err(refuse("DOCKERFILE_COPY_ABSENT", format!("`{path}` copies `{absent}`, which is not in the source."))
            .at(path)
            .line(line)
            .fix(format!("Commit `{absent}`, correct the path, or set the application's root to the directory that holds it.")));
    }
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
            context: build_context,
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

/// What the Dockerfile copies to the image of its last stage, though the source does not hold it.
pub fn absent(source: &Source, path: &str) -> Option<String> {
    let stages = stages(&parse(&source.peek(path)?));
    let built = built_for(&stages, stages.last()?);
    locate::first_absent(source, &locate::build_context(source, path, &built), &built).map(|(absent, _)| absent)
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

/// An argument without a value leaves `FROM` without an image.
fn all_images_are_named(built: &[&Stage], path: &str) -> Result<(), Refusal> {
    let Some(stage) = built.iter().find(|stage| stage.from.is_empty() || stage.from.starts_with(':') || stage.from.ends_with(':')) else {
        return Ok(());
    };
    Err(refuse("DOCKERFILE_IMAGE_UNNAMED", "This `FROM` names no image: an argument that it is made of has no value.")
        .at(path)
        .line(stage.line)
        .fix("Give the argument a default before the first `FROM`, as in `ARG VERSION=1`."))
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
