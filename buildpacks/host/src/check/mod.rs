//! Whether a plan keeps the rules. A buildpack may come from anybody: what it plans is checked before anything is built.

pub(crate) mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use slipway_buildpack_wit::{Base, Command, Dockerfile, File, Fragment, Image, Input, Layer, Level, Probe, Process, Step};

use values::{
    is_absolute, is_below, is_debian_package, is_env_name, is_glob_below, is_image_reference, is_name, is_numeric_user, is_single_line,
};

const MAX_STEPS: usize = 32;
const MAX_ITEMS: usize = 64;
const MAX_FILES_BYTES: usize = 1 << 20;
const MAX_DOCKERFILE_BYTES: usize = 1 << 20;
const MAX_TEXT_BYTES: usize = 16 << 10;
const MAX_DIAGNOSTICS: usize = 200;

/// One rule that a plan breaks, for the author of the buildpack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PlanViolation {
    /// Such as `steps.install.inputs[0].dest`.
    pub field: String,
    pub problem: String,
}

/// Checks a plan.
///
/// # Errors
/// Everything that is wrong with it, not only the first.
pub fn check_plan(fragment: &Fragment) -> Result<(), Vec<PlanViolation>> {
    let mut checker = Checker { fragment, violations: Vec::new() };
    checker.whole();
    if checker.violations.is_empty() { Ok(()) } else { Err(checker.violations) }
}

struct Checker<'a> {
    fragment: &'a Fragment,
    violations: Vec<PlanViolation>,
}

impl Checker<'_> {
    fn require(&mut self, holds: bool, field: impl Into<String>, problem: impl Into<String>) {
        if !holds && self.violations.len() < MAX_ITEMS {
            self.violations.push(PlanViolation { field: field.into(), problem: problem.into() });
        }
    }

    fn count(&mut self, field: &str, count: usize, most: usize) {
        self.require(count <= most, field, format!("{count} entries, of which at most {most} are allowed"));
    }

    fn unique<'n>(&mut self, field: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        for name in names {
            self.require(seen.insert(name), field, format!("`{name}` appears twice"));
        }
    }

    fn whole(&mut self) {
        let fragment = self.fragment;
        self.count("steps", fragment.steps.len(), MAX_STEPS);
        for (field, count) in [
            ("tools", fragment.tools.len()),
            ("caches", fragment.caches.len()),
            ("processes", fragment.processes.len()),
            ("ports", fragment.ports.len()),
        ] {
            self.count(field, count, MAX_ITEMS);
        }
        self.count("diagnostics", fragment.diagnostics.len(), MAX_DIAGNOSTICS);
        if !self.violations.is_empty() {
            return; // What is out of bounds is not looked at any closer.
        }
        match (&fragment.image, &fragment.dockerfile) {
            (Some(image), None) => self.image(image),
            (None, Some(dockerfile)) => {
                self.require(fragment.steps.is_empty(), "steps", "a Dockerfile is built in place of steps");
                self.dockerfile(dockerfile);
            }
            _ => self.require(false, "image", "exactly one of `image` and `dockerfile` is needed"),
        }
        self.unique("tools", fragment.tools.iter().map(|tool| tool.name.as_str()));
        for tool in &fragment.tools {
            let field = format!("tools.{}", tool.name);
            self.require(is_name(&tool.name), &field, "not a plain name");
            self.require(
                is_single_line(&tool.constraint, 200) && !tool.constraint.is_empty(),
                &field,
                "the constraint is empty or not one line",
            );
        }
        self.unique("caches", fragment.caches.iter().map(|cache| cache.id.as_str()));
        for cache in &fragment.caches {
            let field = format!("caches.{}", cache.id);
            self.require(is_name(&cache.id), &field, "not a plain name");
            self.require(is_absolute(&cache.path) && cache.path != "/", format!("{field}.path"), "not an absolute path below the root");
        }
        self.steps();
        self.processes();
        let bytes = fragment.steps.iter().flat_map(|step| &step.files).chain(fragment.image.iter().flat_map(|image| &image.files));
        let bytes: usize = bytes.map(|file| file.content.len()).sum();
        self.require(bytes <= MAX_FILES_BYTES, "files", format!("{bytes} bytes, of which at most {MAX_FILES_BYTES} are allowed"));
    }

    fn steps(&mut self) {
        let fragment = self.fragment;
        self.unique("steps", fragment.steps.iter().map(|step| step.id.as_str()));
        for step in &fragment.steps {
            let field = format!("steps.{}", step.id);
            self.require(is_name(&step.id) && step.id != "source", &field, "not a plain name");
            self.base(&format!("{field}.base"), &step.base);
            self.step(&field, step);
        }
        if let Some(step) = first_in_a_circle(&fragment.steps) {
            self.require(false, format!("steps.{step}"), "depends on itself");
        }
    }

    fn step(&mut self, field: &str, step: &Step) {
        self.count(&format!("{field}.inputs"), step.inputs.len(), MAX_ITEMS);
        self.count(&format!("{field}.run"), step.run.len(), MAX_ITEMS);
        for (index, input) in step.inputs.iter().enumerate() {
            self.input(&format!("{field}.inputs[{index}]"), input);
        }
        self.files(field, &step.files);
        for (index, run) in step.run.iter().enumerate() {
            let field = format!("{field}.run[{index}]");
            self.command(&field, &run.command, false);
            self.require(is_absolute(&run.cwd), format!("{field}.cwd"), "not an absolute path");
            self.env(&field, &run.env);
        }
        for cache in &step.caches {
            let declared = self.fragment.caches.iter().any(|known| known.id == *cache);
            self.require(declared, format!("{field}.caches"), format!("`{cache}` is not declared"));
        }
        self.unique(&format!("{field}.caches"), step.caches.iter().map(String::as_str));
        for secret in &step.secrets {
            self.require(is_env_name(secret), format!("{field}.secrets"), format!("`{secret}` is not a name of an environment variable"));
        }
        self.packages(field, &step.packages);
    }

    fn input(&mut self, field: &str, input: &Input) {
        self.require(is_absolute(&input.dest), format!("{field}.dest"), "not an absolute path");
        self.count(&format!("{field}.include"), input.include.len(), MAX_ITEMS);
        if input.origin == "source" {
            self.globs(field, &input.include, &input.exclude);
            return;
        }
        self.step_exists(field, &input.origin);
        self.require(!input.include.is_empty(), format!("{field}.include"), "what is taken from a step must be named");
        self.require(input.exclude.is_empty(), format!("{field}.exclude"), "nothing can be left out of what a step made");
        for path in &input.include {
            self.require(is_absolute(path), format!("{field}.include"), format!("`{path}` is not an absolute path"));
        }
    }

    fn globs(&mut self, field: &str, include: &[String], exclude: &[String]) {
        for glob in include.iter().chain(exclude) {
            self.require(is_glob_below(glob), field, format!("`{glob}` is not a path or glob below the application's root"));
        }
    }

    fn image(&mut self, image: &Image) {
        self.base("image.base", &image.base);
        self.packages("image", &image.packages);
        self.count("image.layers", image.layers.len(), MAX_ITEMS);
        for (index, layer) in image.layers.iter().enumerate() {
            self.layer(&format!("image.layers[{index}]"), layer);
        }
        self.files("image", &image.files);
        self.env("image", &image.env);
        self.require(is_absolute(&image.workdir), "image.workdir", "not an absolute path");
        self.require(is_numeric_user(&image.user), "image.user", "not a numeric `uid:gid` of which neither is 0");
        let is_told = self.fragment.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Warning);
        self.require(!self.fragment.processes.is_empty() || is_told, "processes", "nothing runs, and no warning says why");
    }

    fn layer(&mut self, field: &str, layer: &Layer) {
        self.require(is_absolute(&layer.dest), format!("{field}.dest"), "not an absolute path");
        if layer.origin == "source" {
            self.require(is_below(&layer.path), format!("{field}.path"), "not a path below the application's root");
            self.globs(field, &layer.include, &layer.exclude);
            return;
        }
        self.step_exists(field, &layer.origin);
        self.require(is_absolute(&layer.path), format!("{field}.path"), "not an absolute path");
        self.require(layer.include.is_empty() && layer.exclude.is_empty(), field, "nothing can be left out of what a step made");
    }

    fn step_exists(&mut self, field: &str, id: &str) {
        let exists = self.fragment.steps.iter().any(|step| step.id == id);
        self.require(exists, format!("{field}.origin"), format!("there is no step `{id}`"));
    }

    fn base(&mut self, field: &str, base: &Base) {
        match base {
            Base::Tool(name) => {
                let declared = self.fragment.tools.iter().any(|tool| tool.name == *name);
                self.require(declared, field, format!("the tool `{name}` is not declared"));
            }
            Base::Step(id) => {
                let exists = self.fragment.steps.iter().any(|step| step.id == *id);
                self.require(exists, field, format!("there is no step `{id}`"));
            }
            Base::Image(reference) => {
                self.require(is_image_reference(reference), field, format!("`{reference}` has no tag, or one that floats"));
            }
        }
    }

    fn files(&mut self, field: &str, files: &[File]) {
        self.count(&format!("{field}.files"), files.len(), MAX_ITEMS);
        for file in files {
            let plain = is_absolute(&file.path) && file.path != "/";
            self.require(plain, format!("{field}.files"), format!("`{}` is not an absolute path", file.path));
        }
    }

    fn env(&mut self, field: &str, env: &[(String, String)]) {
        self.count(&format!("{field}.env"), env.len(), MAX_ITEMS);
        for (name, value) in env {
            self.require(is_env_name(name), format!("{field}.env"), format!("`{name}` is not a name of an environment variable"));
            self.require(is_single_line(value, MAX_TEXT_BYTES), format!("{field}.env.{name}"), "the value is not one line");
        }
    }

    fn packages(&mut self, field: &str, packages: &[String]) {
        self.count(&format!("{field}.packages"), packages.len(), MAX_ITEMS);
        for package in packages {
            self.require(is_debian_package(package), format!("{field}.packages"), format!("`{package}` is not a package name"));
        }
    }

    fn command(&mut self, field: &str, command: &Command, may_be_empty: bool) {
        let words: &[String] = match command {
            Command::Argv(words) if words.is_empty() => {
                return self.require(may_be_empty, field, "the command is empty");
            }
            Command::Argv(words) => words,
            Command::Shell(line) => std::slice::from_ref(line),
        };
        self.require(words.first().is_some_and(|word| !word.trim().is_empty()), field, "the command is empty");
        let sound = words.iter().all(|word| word.len() <= MAX_TEXT_BYTES && !word.contains('\0'));
        self.require(sound, field, "the command holds a NUL or is too long");
    }

    fn processes(&mut self) {
        let fragment = self.fragment;
        self.unique("processes", fragment.processes.iter().map(|process| process.name.as_str()));
        let defaults = fragment.processes.iter().filter(|process| process.is_default).count();
        self.require(defaults <= 1, "processes", "more than one is the default");
        for Process { name, command, env, is_default, .. } in &fragment.processes {
            let field = format!("processes.{name}");
            self.require(is_name(name), &field, "not a plain name");
            self.command(&field, command, *is_default && fragment.dockerfile.is_some());
            self.env(&field, env);
        }
        self.unique("ports", fragment.ports.iter().map(|port| port.name.as_str()));
        for port in &fragment.ports {
            let field = format!("ports.{}", port.name);
            self.require(
                is_name(&port.name) && is_env_name(&port.env) && port.default != 0,
                field,
                "a name, a variable or the number is wrong",
            );
        }
        match fragment.health.as_ref().map(|health| &health.probe) {
            Some(Probe::Http(path)) => {
                self.require(path.starts_with('/') && is_single_line(path, 2000), "health", "not a path of a URL");
            }
            Some(Probe::Command(words)) => self.command("health", &Command::Argv(words.clone()), false),
            Some(Probe::Tcp) | None => {}
        }
    }

    fn dockerfile(&mut self, dockerfile: &Dockerfile) {
        self.require(is_below(&dockerfile.path) && dockerfile.path != ".", "dockerfile.path", "not a path below the application's root");
        self.require(is_below(&dockerfile.context), "dockerfile.context", "not a path below the application's root");
        let size = dockerfile.text.len();
        self.require((1..=MAX_DOCKERFILE_BYTES).contains(&size), "dockerfile.text", "empty or too long");
        if let Some(target) = &dockerfile.target {
            self.require(is_single_line(target, 200) && !target.is_empty(), "dockerfile.target", "not the name of a stage");
        }
        self.env("dockerfile.args", &dockerfile.args);
    }
}

/// A step that depends on itself, by any number of others.
fn first_in_a_circle(steps: &[Step]) -> Option<&str> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = steps.iter().map(|step| (step.id.as_str(), needs(step))).collect();
    loop {
        let known: BTreeSet<&str> = left.keys().copied().collect();
        let free = left.iter().find(|(_, needs)| needs.is_disjoint(&known)).map(|(id, _)| *id);
        match free {
            Some(id) => left.remove(id),
            None => return left.into_keys().next(),
        };
    }
}

/// The ids of the steps that a step is made from.
pub(crate) fn needs(step: &Step) -> BTreeSet<&str> {
    let base = match &step.base {
        Base::Step(id) => Some(id.as_str()),
        Base::Tool(_) | Base::Image(_) => None,
    };
    base.into_iter().chain(step.inputs.iter().map(|input| input.origin.as_str()).filter(|origin| *origin != "source")).collect()
}

#[cfg(test)]
mod tests;
