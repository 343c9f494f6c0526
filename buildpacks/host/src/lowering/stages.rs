//! One stage per step, and the image.

use slipway_buildpack_wit::{Base, Command, Fragment, Image, Lock, Step};

use super::{
    Listing, LowerError,
    lines::{Lines, in_exec_form, json},
};
use crate::check::needs;

pub(super) fn write(fragment: &Fragment, lock: &Lock, source: &Listing, lines: &mut Lines<'_>) -> Result<(), LowerError> {
    for step in in_order(&fragment.steps)? {
        write_step(step, fragment, lock, source, lines)?;
        lines.line("");
    }
    let image = fragment.image.as_ref().ok_or(LowerError::Nothing)?;
    write_image(image, fragment, lock, source, lines)
}

fn stage(step: &str) -> String {
    format!("step-{step}")
}

fn write_step(step: &Step, fragment: &Fragment, lock: &Lock, source: &Listing, lines: &mut Lines<'_>) -> Result<(), LowerError> {
    if let Some(secret) = step.secrets.iter().find(|secret| !lines.options.secrets.contains(secret)) {
        return Err(LowerError::MissingSecret { step: step.id.clone(), secret: secret.clone() });
    }
    let base = match &step.base {
        Base::Tool(tool) => image_of(tool, lock, |locked| &locked.build_image)?,
        Base::Step(id) => stage(id),
        Base::Image(reference) => reference.clone(),
    };
    lines.line(format!("FROM {base} AS {}", stage(&step.id)));
    install_packages(&step.packages, lines);
    for (index, input) in step.inputs.iter().enumerate() {
        if input.origin == "source" {
            let files = source.select(".", &input.include, &input.exclude);
            lines.copy_source(source, &files, &format!("inputs/{}/{index}", step.id), &input.dest, None);
        } else {
            for path in &input.include {
                let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                lines.copy(Some(&stage(&input.origin)), None, path, &format!("{}/{name}", input.dest.trim_end_matches('/')));
            }
        }
    }
    lines.copy_files(&step.files, &format!("files/{}", step.id), None);
    let line_of_tool = tool_line(step, fragment, lock);
    let mounts: Vec<String> = fragment
        .caches
        .iter()
        .filter(|cache| step.caches.contains(&cache.id))
        .map(|cache| {
            let sharing = if cache.shared { "shared" } else { "locked" };
            format!("type=cache,id={}-{}{line_of_tool},target={},sharing={sharing}", lines.options.scope, cache.id, cache.path)
        })
        .collect();
    if let Some(fingerprint) = &lines.options.secrets_fingerprint {
        lines.line(format!("ARG SLIPWAY_BUILD_VARIABLES={fingerprint}"));
    }
    let mut cwd = None;
    for run in &step.run {
        if cwd != Some(&run.cwd) {
            lines.line(format!("WORKDIR {}", run.cwd));
            cwd = Some(&run.cwd);
        }
        lines.run(&mounts, &run.env, &run.command);
    }
    Ok(())
}

fn write_image(image: &Image, fragment: &Fragment, lock: &Lock, source: &Listing, lines: &mut Lines<'_>) -> Result<(), LowerError> {
    let base = match &image.base {
        Base::Tool(tool) => image_of(tool, lock, |locked| &locked.run_image)?,
        Base::Step(id) => stage(id),
        Base::Image(reference) => reference.clone(),
    };
    lines.line(format!("FROM {base}"));
    if !image.packages.is_empty() {
        lines.line(format!("RUN {}", json(&in_exec_form(&apt(&image.packages)))));
    }
    for (index, layer) in image.layers.iter().enumerate() {
        if layer.origin == "source" {
            let files = source.select(&layer.path, &layer.include, &layer.exclude);
            lines.copy_layer(source, &files, &format!("layers/{index}"), &layer.dest, &image.user);
        } else {
            lines.copy(Some(&stage(&layer.origin)), Some(&image.user), &layer.path, &layer.dest);
        }
    }
    lines.copy_files(&image.files, "files/image", Some(&image.user));
    // After what is copied: the engine makes a directory with the present time, and copies one with its own. After USER, so that one that
    // nothing was copied to belongs to the user too.
    lines.line(format!("USER {}", image.user));
    lines.line(format!("WORKDIR {}", image.workdir));
    let process = fragment.processes.iter().find(|process| process.is_default);
    for (name, value) in image.env.iter().chain(process.iter().flat_map(|process| &process.env)) {
        lines.assign("ENV", name, value);
    }
    for port in &fragment.ports {
        lines.assign("ENV", &port.env, &port.default.to_string());
        lines.line(format!("EXPOSE {}", port.default));
    }
    for (name, value) in &lines.options.labels {
        lines.assign("LABEL", name, value);
    }
    // A base image may have a signal that its own server takes for the wish to stop, as Apache's images do. Any other program waits for
    // SIGTERM; the buildpack's own command is for the base's server.
    if process.is_some_and(|process| matches!(process.command, Command::Shell(_))) {
        lines.line("STOPSIGNAL SIGTERM");
    }
    // The base image's own entry point would come between the process and its signals.
    lines.line("ENTRYPOINT []");
    if let Some(process) = process {
        lines.line(format!("CMD {}", json(&in_exec_form(&process.command))));
    }
    Ok(())
}

fn install_packages(packages: &[String], lines: &mut Lines<'_>) {
    if !packages.is_empty() {
        lines.run(&[], &[], &apt(packages));
    }
}

/// One command, so that the lists that `update` fetches are not a layer. The names were checked.
fn apt(packages: &[String]) -> Command {
    Command::Shell(format!(
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
        packages.join(" ")
    ))
}

/// The steps, each after those it needs, otherwise in the plan's order.
fn in_order(steps: &[Step]) -> Result<Vec<&Step>, LowerError> {
    let mut left: Vec<&Step> = steps.iter().collect();
    let mut ordered: Vec<&Step> = Vec::with_capacity(steps.len());
    while !left.is_empty() {
        let ready = |step: &&Step| needs(step).iter().all(|id| ordered.iter().any(|done| done.id == *id));
        let next = left.iter().position(ready).ok_or(LowerError::Circle)?;
        ordered.push(left.remove(next));
    }
    Ok(ordered)
}

/// `-node22` for a step that runs, at the bottom of its bases, in Node 22; empty where no tool is below it. A cache that one major
/// version of a tool filled is not for the next one: package managers change what they keep there.
fn tool_line(step: &Step, fragment: &Fragment, lock: &Lock) -> String {
    let mut base = &step.base;
    // As many steps as there are: the check has found no circle.
    for _ in 0..=fragment.steps.len() {
        match base {
            Base::Tool(tool) => {
                let version = lock.get(tool).map_or("", |locked| locked.version.as_str());
                let major: String = version.chars().take_while(char::is_ascii_alphanumeric).collect();
                return format!("-{tool}{major}");
            }
            Base::Step(id) => match fragment.steps.iter().find(|step| step.id == *id) {
                Some(below) => base = &below.base,
                None => break,
            },
            Base::Image(_) => break,
        }
    }
    String::new()
}

fn image_of(tool: &str, lock: &Lock, which: impl Fn(&slipway_buildpack_wit::LockedTool) -> &String) -> Result<String, LowerError> {
    let image = which(lock.get(tool).ok_or_else(|| LowerError::Unresolved(tool.to_owned()))?);
    let plain = !image.is_empty() && image.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b));
    if plain { Ok(image.clone()) } else { Err(LowerError::BadImage { tool: tool.to_owned(), image: image.clone() }) }
}
