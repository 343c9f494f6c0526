//! The buildpack for {{id}}.
//!
//! It stands for a language whose projects have a file `{{id}}.toml`. Put your own in its place: what tells one of its
//! projects, where its version is stated, what builds it, and what starts it.

use serde::Deserialize;
use slipway_buildpack_sdk::{
    Base, Buildpack, Cache, Context, Detected, Detection, Fragment, Health, Image, Input, Layer, Port, Process, Refusal, Run, Source, Step,
    Tool, WHOLE_APPLICATION, detection, export_buildpack, has_other_processes, parse_toml, reason, shell, stated_start, warning,
};

const MANIFEST: &str = "{{id}}.toml";
/// What a runtime plugin knows as a tool, and resolves to images: see `plugin/`.
const TOOL: &str = "{{id}}";
const DEFAULT_VERSION: &str = "1";
/// Where the application is in builds and in the image.
const APP: &str = "/app";

#[derive(Debug, Clone, Copy)]
pub struct {{Type}};

/// What `{{id}}.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    version: Option<String>,
    build: Option<String>,
    start: Option<String>,
}

impl Buildpack for {{Type}} {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        let manifest = match manifest(source) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Detected::No(vec![reason(MANIFEST, "there is no such file")]),
            Err(refusal) => return Detected::Refused(refusal),
        };
        // A manifest and a way to start it: a whole application. Less than that gives way to others.
        let found = detection(context).because(MANIFEST, "a project of {{id}}");
        match start(source, context, &manifest) {
            Some(_) => found.score(WHOLE_APPLICATION + 10).into(),
            None => found.score(60).into(),
        }
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        let manifest = manifest(source)?.unwrap_or_default();
        let start = start(source, context, &manifest);
        let mut diagnostics = Vec::new();
        // Without a web process, those of a Procfile may be all there is.
        if start.is_none() && !has_other_processes(source) {
            let message = format!("Nothing says how the application starts. Add `start = \"...\"` to {MANIFEST}, or `web: ...` to a Procfile.");
            diagnostics.push(warning("{{ID}}_NO_START", message, Some(MANIFEST)));
        }
        let (steps, code) = match context.build_command.clone().or(manifest.build) {
            Some(command) => (vec![build(&command)], Layer::of_step("build", APP, APP)),
            None => (vec![], Layer::of_source(APP).without([".git"])),
        };
        let listens = start.is_some();
        Ok(Fragment {
            tools: vec![match manifest.version {
                Some(version) => Tool::stated(TOOL, version, format!("{MANIFEST}#version")),
                None => Tool::by_default(TOOL, DEFAULT_VERSION),
            }],
            caches: if steps.is_empty() { vec![] } else { vec![Cache::shared("downloads", "/root/.cache")] },
            steps,
            image: Some(Image::new(Base::tool(TOOL), APP).layer(code).env("HOME", "/tmp")),
            processes: start.map(|command| Process::web(shell(command))).into_iter().collect(),
            ports: listens.then(|| Port::http(8080)).into_iter().collect(),
            health: listens.then(|| Health::port_answers(60)),
            diagnostics,
            ..Fragment::default()
        })
    }
}

/// `None`: not a project of this kind.
fn manifest(source: &Source) -> Result<Option<Manifest>, Refusal> {
    source.read(MANIFEST)?.map(|text| parse_toml("{{ID}}_MANIFEST_INVALID", MANIFEST, &text)).transpose()
}

/// What the customer says goes before what the manifest says.
fn start(source: &Source, context: &Context, manifest: &Manifest) -> Option<String> {
    stated_start(source, context).map(|stated| stated.command).or_else(|| manifest.start.clone()).filter(|line| !line.trim().is_empty())
}

fn build(command: &str) -> Step {
    Step::new("build", Base::tool(TOOL))
        .input(Input::of_source(Vec::<String>::new(), APP).without([".git"]))
        .cache("downloads")
        .run(Run::new(shell(command), APP))
}

export_buildpack!({{Type}});

#[cfg(test)]
mod tests {
    use super::*;

    /// The same code, without a sandbox: quick to try an idea with.
    #[test]
    fn a_manifest_with_a_start_is_a_whole_application() {
        let source = Source::open("fixtures/plain/app", ".").unwrap();
        let Detected::Yes(detection) = {{Type}}.detect(&source, &Context::default()) else { panic!("not recognised") };
        assert!(detection.score >= WHOLE_APPLICATION);
        let plan = {{Type}}.plan(&source, &Context::default(), &detection).unwrap();
        assert_eq!(plan.tools[0].source, "{{id}}.toml#version");
    }
}
