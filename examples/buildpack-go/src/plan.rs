//! The plan: modules, the build, and an image with little more than the program.

use slipway_buildpack_sdk::{
    Base, Cache, Command, Context, Diagnostic, Fragment, Health, Image, Input, Layer, Port, Process, ProcessKind, Refusal, Run, Source,
    Step, argv, has_other_processes, info, refuse, shell, stated_start, warning,
};

use crate::{
    commands::{self, Commands},
    framework,
    module::{FILE, Module},
    version::{self, TOOL},
};

const APP: &str = "/app";
/// Where programs are built, and where they are in the image.
const OUT: &str = "/out";
const BIN: &str = "/app/bin";
const MODULES: (&str, &str) = ("modules", "/go/pkg/mod");
/// What was compiled, by its content: it may be empty at any time.
const OBJECTS: (&str, &str) = ("objects", "/root/.cache/go-build");
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// For programs that link C: an image with the C library that they were linked with.
const IMAGE_WITH_C: &str = "debian:bookworm-slim";

pub fn plan(source: &Source, context: &Context, module: &Module) -> Result<Fragment, Refusal> {
    let tool = version::wanted(source, module)?;
    let is_vendored = source.is_file("vendor/modules.txt");
    if !module.requires.is_empty() && !is_vendored && !source.is_file("go.sum") {
        return Err(refuse("GO_SUM_MISSING", format!("`{FILE}` requires modules, and there is no go.sum that says what they contain."))
            .at(FILE)
            .fix("Run `go mod tidy`, and commit go.sum."));
    }
    if let Some(outside) = module.replaced_by.iter().find(|directory| directory.starts_with("..")) {
        return Err(refuse("GO_REPLACED_OUTSIDE", format!("`{FILE}` takes a module from `{outside}`, outside of the application's root."))
            .at(FILE)
            .fix("Set the application's root to a directory that holds both, or require a published version."));
    }
    let commands = commands::find(source, module);
    let uses_c = commands.all.iter().any(|command| command.imports.iter().any(|path| path == "C"));
    let own_build = context.build_command.as_deref().map(str::trim).filter(|command| !command.is_empty());
    let mut diagnostics = Vec::new();
    let start = start(source, context, &commands);
    if start.is_none() && !has_other_processes(source) {
        diagnostics.push(nothing_to_start(&commands));
    }
    if uses_c {
        diagnostics.push(info(
            "GO_LINKS_C",
            format!("The program imports \"C\", so it is linked with the C library of {IMAGE_WITH_C}."),
            None,
        ));
    }

    let downloads = !module.requires.is_empty() && !is_vendored;
    let mut steps = Vec::new();
    if downloads {
        steps.push(download(module));
    }
    let builds = own_build.is_some() || !commands.all.is_empty();
    if builds {
        steps.push(build(&commands, own_build, downloads, is_vendored, uses_c));
    }
    let listens = commands.chosen_listens(framework(module).is_some()) || start.as_ref().is_some_and(|start| start.is_stated);
    let processes = start.map(|Start { command, .. }| {
        if listens { Process::web(command) } else { Process { is_default: true, ..Process::new("worker", ProcessKind::Worker, command) } }
    });
    let listens = listens && processes.is_some();
    Ok(Fragment {
        tools: vec![tool],
        caches: if builds { vec![Cache::shared(MODULES.0, MODULES.1), Cache::shared(OBJECTS.0, OBJECTS.1)] } else { vec![] },
        steps,
        image: Some(image(builds, own_build.is_some(), uses_c)),
        processes: processes.into_iter().collect(),
        ports: listens.then(|| Port::http(8080)).into_iter().collect(),
        health: listens.then(|| Health::port_answers(30)),
        diagnostics,
        ..Fragment::default()
    })
}

struct Start {
    command: Command,
    /// By the customer.
    is_stated: bool,
}

fn start(source: &Source, context: &Context, commands: &Commands) -> Option<Start> {
    if let Some(stated) = stated_start(source, context) {
        return Some(Start { command: shell(stated.command), is_stated: true });
    }
    commands.chosen().map(|command| Start { command: argv([format!("{BIN}/{}", command.name)]), is_stated: false })
}

fn nothing_to_start(commands: &Commands) -> Diagnostic {
    let message = if commands.all.is_empty() {
        "The module has no program: no `func main()` of `package main` at its root or in a directory of `cmd/`. Add one, or set the \
            application's root."
            .to_owned()
    } else {
        let names: Vec<_> = commands.all.iter().map(|command| command.name.as_str()).collect();
        format!(
            "The module has several programs: {}. Say which one serves, as in `web: {}` in a Procfile.",
            names.join(", "),
            names.first().map_or_else(String::new, |name| format!("{BIN}/{name}"))
        )
    };
    warning("GO_NO_START", message, Some(FILE))
}

/// Sees what names the modules and nothing else, so that an edit of the source does not download them again.
fn download(module: &Module) -> Step {
    let manifests = ["go.mod", "go.sum", "go.work", "go.work.sum"].map(str::to_owned);
    let replaced = module.replaced_by.iter().filter_map(|directory| {
        let directory = directory.trim_start_matches("./").trim_end_matches('/');
        let is_plain = directory.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let is_plain = is_plain && directory.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
        is_plain.then(|| format!("{directory}/go.mod"))
    });
    Step::new("modules", Base::tool(TOOL))
        .input(Input::of_source(manifests.into_iter().chain(replaced), APP))
        .cache(MODULES.0)
        .run(toolchain(Run::new(argv(["go", "mod", "download"]), APP)))
}

fn build(commands: &Commands, own_build: Option<&str>, downloads: bool, is_vendored: bool, uses_c: bool) -> Step {
    let base = if downloads { Base::step("modules") } else { Base::tool(TOOL) };
    let step =
        Step::new("build", base).input(Input::of_source(Vec::<String>::new(), APP).without([".git"])).cache(MODULES.0).cache(OBJECTS.0);
    let step = if uses_c { step.packages(["gcc", "libc6-dev"]) } else { step };
    let run = |command| toolchain(Run::new(command, APP)).env("CGO_ENABLED", if uses_c { "1" } else { "0" });
    if let Some(command) = own_build {
        return step.run(run(shell(command)));
    }
    commands.all.iter().fold(step, |step, command| {
        let vendored = is_vendored.then_some("-mod=vendor");
        let words = ["go", "build"].into_iter().chain(vendored);
        let output = format!("{OUT}/{}", command.name);
        // The names of time zones go into the program, since a small image has none.
        let options = ["-trimpath", "-buildvcs=false", "-tags=timetzdata", "-ldflags=-s -w", "-o", &output, &command.package];
        let command = run(argv(words.chain(options)));
        step.run(if downloads { command } else { command.offline() })
    })
}

/// The Go that was resolved, and never another one that it would download by itself.
fn toolchain(run: Run) -> Run {
    run.env("GOTOOLCHAIN", "local")
}

fn image(builds: bool, own_build: bool, uses_c: bool) -> Image {
    let base = if uses_c { Base::image(IMAGE_WITH_C) } else { Base::tool(TOOL) };
    let image = Image::new(base, APP).env("HOME", "/tmp");
    if own_build {
        return image.layer(Layer::of_step("build", CERTIFICATES, CERTIFICATES)).layer(Layer::of_step("build", APP, APP));
    }
    let image = if builds {
        image.layer(Layer::of_step("build", CERTIFICATES, CERTIFICATES)).layer(Layer::of_step("build", OUT, BIN))
    } else {
        image
    };
    // Templates, migrations and whatever else a program reads where it runs.
    image.layer(Layer::of_source(APP).without([".git", "**/*.go", "go.mod", "go.sum", "go.work", "go.work.sum", "vendor", "**/testdata"]))
}
