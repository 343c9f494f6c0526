//! The plan: gems in a step that sees the manifests alone, and an image with Debian's Ruby.

use slipway_buildpack_sdk::{
    Base, Cache, Context, File, Fragment, Health, Image, Input, Layer, Port, Process, Refusal, Run, Source, Step, argv,
    has_other_processes, info, shell, warning,
};

use crate::{
    aptfile,
    gemfile::{Gems, LOCK, MANIFEST},
    start::{self, PUMA_SETTINGS, Start},
    version::{self, TOOL},
};

const APP: &str = "/app";
/// Where gems are installed, and where they are in the image.
const BUNDLE: &str = "/bundle";
const DOWNLOADS: (&str, &str) = ("gems", "/var/cache/gems");
const RUBY: [&str; 2] = ["bundler", "ruby"];
/// For gems that are compiled.
const COMPILERS: [&str; 2] = ["build-essential", "ruby-dev"];
/// Common gems with parts in C, which Debian has compiled as `ruby-NAME`, or under these names.
const COMPILED: [&str; 16] = [
    "bcrypt",
    "bigdecimal",
    "bootsnap",
    "ffi",
    "hiredis",
    "msgpack",
    "mysql2",
    "nio4r",
    "nokogiri",
    "oj",
    "pg",
    "puma",
    "racc",
    "redcarpet",
    "sassc",
    "sqlite3",
];

pub fn plan(source: &Source, context: &Context, gems: Option<&Gems>) -> Result<Fragment, Refusal> {
    let tool = version::wanted(source, gems)?;
    let wanted = aptfile::read(source)?;
    let packages: Vec<String> = RUBY.map(str::to_owned).into_iter().chain(wanted.iter().cloned()).collect();
    let start = start::find(source, context, gems);
    let mut diagnostics = Vec::new();
    if start.is_none() && !has_other_processes(source) {
        let message = "Nothing says how the application starts: there is no config.ru, and no app.rb that serves. Add one, or `web: ...` to a \
                       Procfile.";
        diagnostics.push(warning("RUBY_NO_START", message, Some(MANIFEST)));
    }
    if start == Some(Start::Rackup) {
        let message = "Without the gem `puma`, Rack takes whatever server it finds, which may be none that is fit for visitors.";
        diagnostics.push(warning("RUBY_NO_SERVER", message, Some(MANIFEST)));
    }
    let compiled: Vec<&str> = gems.into_iter().flat_map(|gems| compiled(gems, &wanted)).collect();
    if !compiled.is_empty() {
        let message = format!(
            "Compilers are installed to build {}; Debian's own, named in {}, would do without.",
            compiled.join(", "),
            aptfile::FILE
        );
        diagnostics.push(info("RUBY_COMPILES", message, Some(LOCK)));
    }

    let mut steps = Vec::new();
    if gems.is_some() {
        steps.push(install(&packages, !compiled.is_empty()));
    }
    let own_build = context.build_command.as_deref().map(str::trim).filter(|command| !command.is_empty());
    if let Some(command) = own_build {
        let base = if gems.is_some() { Base::step("gems") } else { Base::tool(TOOL) };
        let step = Step::new("build", base).input(Input::of_source(Vec::<String>::new(), APP).without([".git"]));
        let step = if gems.is_some() { step } else { step.packages(packages.clone()) };
        steps.push(step.run(environment(Run::new(shell(command), APP))));
    }
    let serves = start.is_some();
    Ok(Fragment {
        tools: vec![tool],
        caches: if gems.is_some() { vec![Cache::shared(DOWNLOADS.0, DOWNLOADS.1)] } else { vec![] },
        steps,
        image: Some(image(packages, gems.is_some(), own_build.is_some(), start.as_ref())),
        processes: start.iter().map(|start| Process::web(start.command())).collect(),
        ports: serves.then(|| Port::http(8080)).into_iter().collect(),
        health: serves.then(|| Health::port_answers(60)),
        diagnostics,
        ..Fragment::default()
    })
}

/// Gems with parts in C that no wanted package brings.
fn compiled<'a>(gems: &'a Gems, wanted: &[String]) -> Vec<&'a str> {
    let is_packaged = |name: &str| wanted.iter().any(|package| package == name || package.strip_prefix("ruby-") == Some(name));
    // What one packaged gem needs is packaged as well.
    if is_packaged("puma") && gems.has("puma") {
        return gems.names().filter(|name| COMPILED.contains(name) && *name != "nio4r" && !is_packaged(name)).collect();
    }
    gems.names().filter(|name| COMPILED.contains(name) && !is_packaged(name)).collect()
}

/// Sees what names the gems and nothing else, so that an edit of the source does not install them again.
fn install(packages: &[String], compiles: bool) -> Step {
    let manifests = [MANIFEST, LOCK, ".ruby-version", "*.gemspec", "vendor/cache/**"].map(str::to_owned);
    let compilers = COMPILERS.iter().filter(|_| compiles).map(|name| (*name).to_owned());
    // A layer needs its directory, also where Debian has all the gems.
    Step::new("gems", Base::tool(TOOL))
        .packages(packages.iter().cloned().chain(compilers).collect::<Vec<_>>())
        .input(Input::of_source(manifests, APP))
        .cache(DOWNLOADS.0)
        .run(Run::new(argv(["mkdir", "-p", BUNDLE]), APP).offline())
        .run(environment(Run::new(argv(["bundle", "install", "--jobs", "4"]), APP)).env("BUNDLE_USER_CACHE", DOWNLOADS.1))
}

/// Gems are those of the lockfile and no others, in one place, beside Debian's own.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("GEM_HOME", BUNDLE),
    ("BUNDLE_FROZEN", "1"),
    ("BUNDLE_WITHOUT", "development:test"),
    ("BUNDLE_SILENCE_ROOT_WARNING", "1"),
    ("LANG", "C.UTF-8"),
    ("RACK_ENV", "production"),
    ("APP_ENV", "production"),
];

fn environment(run: Run) -> Run {
    ENVIRONMENT.iter().fold(run, |run, (key, value)| run.env(*key, *value))
}

fn image(packages: Vec<String>, has_gems: bool, own_build: bool, start: Option<&Start>) -> Image {
    let image = ENVIRONMENT.iter().fold(Image::new(Base::tool(TOOL), APP), |image, (key, value)| image.env(*key, *value));
    let image = image.env("RAILS_ENV", "production").env("RAILS_LOG_TO_STDOUT", "1").env("HOME", "/tmp").packages(packages);
    let image = if has_gems { image.layer(Layer::of_step("gems", BUNDLE, BUNDLE)) } else { image };
    let image = match own_build {
        true => image.layer(Layer::of_step("build", APP, APP)),
        false => image.layer(Layer::of_source(APP).without([".git", "spec", "test", "vendor/cache"])),
    };
    match start {
        Some(Start::Puma { own_settings: false }) => {
            image.file(File::new(PUMA_SETTINGS, "bind \"tcp://0.0.0.0:#{ENV.fetch(\"PORT\")}\"\n"))
        }
        _ => image,
    }
}
