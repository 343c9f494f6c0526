//! What a buildpack is written with: a [`Source`] to read, the plan's types to answer with, and [`export_buildpack!`], which makes
//! a component of it.
//!
//! A buildpack answers two questions about a tree of files: is this yours, and how is it built and run. It runs in a sandbox that
//! has the tree, read-only, and nothing else, and both answers are **pure**: the same tree and the same settings give the same
//! bytes. `slipway buildpack new NAME` writes a project to begin with; what follows goes through one, part by part.
//!
//! # Detecting
//!
//! [`Buildpack::detect`] looks for what tells a project of the language. It answers with a score: from [`WHOLE_APPLICATION`] on,
//! there is a manifest and a way to start it, and two such buildpacks for one root are refused; less than that gives way to who
//! is surer. Every answer has reasons, for `slipway plan` and the build log show them: also a no says what was looked for.
//!
//! ```
//! use slipway_buildpack_sdk::{Context, Detected, Source, WHOLE_APPLICATION, detection, reason, stated_start};
//!
//! fn detect(source: &Source, context: &Context) -> Detected {
//!     if !source.is_file("shard.yml") {
//!         return Detected::No(vec![reason("shard.yml", "there is no such file")]);
//!     }
//!     let found = detection(context).because("shard.yml", "a Crystal project").package_manager(Some("shards"));
//!     // What the settings or a Procfile say goes before anything that a buildpack finds.
//!     match stated_start(source, context) {
//!         Some(start) => found.score(WHOLE_APPLICATION + 10).because(start.file.unwrap_or("the settings"), "says how it starts").into(),
//!         None => found.score(60).into(),
//!     }
//! }
//!
//! # let tree = tempfile::tempdir().unwrap();
//! # let open = || Source::open(tree.path(), ".").unwrap();
//! # assert!(matches!(detect(&open(), &Context::default()), Detected::No(_)));
//! # std::fs::write(tree.path().join("shard.yml"), "name: shop").unwrap();
//! # std::fs::write(tree.path().join("Procfile"), "web: bin/shop").unwrap();
//! # let Detected::Yes(found) = detect(&open(), &Context::default()) else { panic!() };
//! # assert_eq!((found.score, found.reasons.len()), (90, 2));
//! ```
//!
//! Reading is bounded: whatever is in the tree, [`Source`] answers soon. [`Source::read`] is for what has to be readable,
//! [`Source::peek`] for hints, [`Source::find`] for searches that pass over installed dependencies.
//!
//! # Refusing
//!
//! A [`Refusal`] ends a deployment before anything is built, because the application cannot work as it is. It is for the person
//! who wrote the application: a stable id, what is wrong, in which file and line, and what to do. Refuse what is certain, early;
//! a constraint that no version satisfies is never answered with a default.
//!
//! ```
//! use serde_json::Value;
//! use slipway_buildpack_sdk::{Refusal, Source, parse_json, refuse};
//!
//! /// The manifest, which has to be sound: `parse_json` and `parse_toml` refuse with the line.
//! fn manifest(source: &Source) -> Result<Value, Refusal> {
//!     let text = source.read("elm.json")?.unwrap_or_default();
//!     parse_json("ELM_MANIFEST_INVALID", "elm.json", &text)
//! }
//!
//! fn kind(manifest: &Value) -> Result<(), Refusal> {
//!     if manifest["type"] == "package" {
//!         return Err(refuse("ELM_IS_A_PACKAGE", "This is a package for others to use, and no application.")
//!             .at("elm.json")
//!             .fix("Set the application's root to a directory with an application."));
//!     }
//!     Ok(())
//! }
//!
//! # let tree = tempfile::tempdir().unwrap();
//! # std::fs::write(tree.path().join("elm.json"), "{\n  \"type\": \n}").unwrap();
//! # let refusal = manifest(&Source::open(tree.path(), ".").unwrap()).unwrap_err();
//! # assert_eq!((refusal.code.as_str(), refusal.line), ("ELM_MANIFEST_INVALID", Some(3)));
//! # assert!(kind(&serde_json::json!({ "type": "package" })).is_err());
//! ```
//!
//! # Planning
//!
//! [`Buildpack::plan`] answers with a [`Fragment`]. Its **tools** are names and constraints in the language's own syntax; a
//! runtime plugin resolves them to images, and the platform keeps what came of it. Its **steps** are stages of a build: a step sees
//! the inputs that it names and nothing else, so what it does not see cannot make it run again. Install with the manifests alone,
//! then build with the source. Its **image** takes what steps made, from the most stable to the most volatile.
//!
//! ```
//! use slipway_buildpack_sdk::{
//!     Base, Cache, Fragment, Health, Image, Input, Layer, Port, Process, Run, Step, Tool, argv, shell,
//! };
//!
//! fn plan(version: Option<&str>, start: &str) -> Fragment {
//!     let install = Step::new("install", Base::tool("crystal"))
//!         .input(Input::of_source(["shard.yml", "shard.lock"], "/app"))
//!         .cache("shards")
//!         .run(Run::new(argv(["shards", "install", "--frozen"]), "/app"));
//!     let build = Step::new("build", Base::step("install"))
//!         .input(Input::of_source(["src/**"], "/app"))
//!         .run(Run::new(argv(["shards", "build", "--release"]), "/app").offline());
//!     Fragment {
//!         tools: vec![match version {
//!             Some(version) => Tool::stated("crystal", version, "shard.yml#crystal"),
//!             None => Tool::by_default("crystal", "1"),
//!         }],
//!         caches: vec![Cache::shared("shards", "/root/.cache/shards")],
//!         steps: vec![install, build],
//!         image: Some(Image::new(Base::tool("crystal"), "/app").layer(Layer::of_step("build", "/app/bin", "/app/bin"))),
//!         // A person's own words go to a shell; everything else is a list of words that nobody has to quote.
//!         processes: vec![Process::web(shell(start))],
//!         ports: vec![Port::http(3000)],
//!         health: Some(Health::port_answers(60)),
//!         ..Fragment::default()
//!     }
//! }
//! # assert_eq!(plan(Some("~> 1.9"), "bin/shop").steps.len(), 2);
//! ```
//!
//! The host checks every plan (paths stay inside, counts are bounded, no floating tags, no root user) and merges in the
//! Procfile and `slipway.toml`, so that they mean the same for every language.
//!
//! # Diagnostics
//!
//! What can be built, and is probably not what its author wants, is said with [`info`] and [`warning`]. A plan without processes
//! needs a warning whose id ends in `_NO_START`: the platform then refuses to deploy it in the buildpack's own words.
//!
//! ```
//! use slipway_buildpack_sdk::warning;
//!
//! let said = warning("CRYSTAL_NO_LOCKFILE", "There is no shard.lock, so the next build may install other versions.", Some("shard.yml"));
//! assert_eq!(said.file.as_deref(), Some("shard.yml"));
//! ```
//!
//! # Processes
//!
//! The web process listens on `$PORT`, on all addresses. A start command that the customer states goes first, see
//! [`stated_start`]; a program of one's own that only works is a [`ProcessKind::Worker`], and what has to happen once before a
//! release is a [`ProcessKind::Release`].
//!
//! ```
//! use slipway_buildpack_sdk::{Process, ProcessKind, argv};
//!
//! let web = Process::web(argv(["bin/shop", "--port", "8080"])).env("LANG", "C.UTF-8");
//! let migrate = Process::new("release", ProcessKind::Release, argv(["bin/shop", "migrate"]));
//! assert!(web.is_default && !migrate.is_default);
//! ```
//!
//! # The whole, and its tests
//!
//! ```
//! use slipway_buildpack_sdk::{
//!     Base, Buildpack, Context, Detected, Detection, Fragment, Image, Layer, Process, Refusal, Source, Tool, argv, detection,
//!     export_buildpack, reason,
//! };
//!
//! struct Lua;
//!
//! impl Buildpack for Lua {
//!     fn detect(&self, source: &Source, context: &Context) -> Detected {
//!         match source.first_file(&["main.lua", "init.lua"]) {
//!             Some(file) => detection(context).score(85).because(file, "a Lua program").into(),
//!             None => Detected::No(vec![reason("main.lua", "there is no such file")]),
//!         }
//!     }
//!
//!     fn plan(&self, source: &Source, _context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
//!         let file = source.first_file(&["main.lua", "init.lua"]).unwrap_or("main.lua");
//!         Ok(Fragment {
//!             tools: vec![Tool::by_default("lua", "5.4")],
//!             image: Some(Image::new(Base::tool("lua"), "/app").layer(Layer::of_source("/app"))),
//!             processes: vec![Process::web(argv(["lua", file]))],
//!             ..Fragment::default()
//!         })
//!     }
//! }
//!
//! export_buildpack!(Lua);
//!
//! // The same code compiles natively, so a unit test needs no sandbox: any directory is a tree.
//! let tree = tempfile::tempdir().unwrap();
//! std::fs::write(tree.path().join("init.lua"), "print('hello')").unwrap();
//! let source = Source::open(tree.path(), ".").unwrap();
//! let Detected::Yes(found) = Lua.detect(&source, &Context::default()) else { panic!("not recognised") };
//! let plan = Lua.plan(&source, &Context::default(), &found).unwrap();
//! assert_eq!(plan.processes[0].command, argv(["lua", "init.lua"]));
//! ```
//!
//! `slipway buildpack test` then tries the component itself: against small applications with expected answers, elsewhere and at
//! another time, and on trees that nobody expects.

#![deny(missing_docs)]

mod answers;
mod command;
mod document;
#[cfg(target_family = "wasm")]
mod guest;
mod source;
mod start;

pub use answers::{DetectionBuilder, argv, detection, info, reason, refuse, shell, warning};
pub use command::{first_word, split_words};
pub use document::{parse_json, parse_toml};
pub use slipway_buildpack_wit::*;
pub use source::{Entry, Source};
pub use start::{StatedStart, has_other_processes, stated_start};

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use guest::{bindings, detect, plan};

/// A language or a way to build. Both functions are pure: the same tree and arguments give the same answer.
pub trait Buildpack {
    /// Whether the tree is of this buildpack's kind, and why.
    fn detect(&self, source: &Source, context: &Context) -> Detected;

    /// How to build and run it.
    ///
    /// # Errors
    /// A refusal says, to the person who wrote the application, why it cannot work and what to change.
    fn plan(&self, source: &Source, context: &Context, detection: &Detection) -> Result<Fragment, Refusal>;
}

/// Makes the crate's component answer with this buildpack: `export_buildpack!(MyType);`, once in a crate of type `cdylib`. The
/// argument is any expression for a value whose type implements [`Buildpack`]. Does nothing when compiled natively, where the crate
/// is a library for its own tests.
#[macro_export]
macro_rules! export_buildpack {
    ($buildpack:expr) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::bindings::Guest for Component {
                fn detect(context: $crate::bindings::Context) -> $crate::bindings::Detected {
                    $crate::detect(&$buildpack, context)
                }

                fn plan(
                    context: $crate::bindings::Context,
                    detection: $crate::bindings::Detection,
                ) -> Result<$crate::bindings::Fragment, $crate::bindings::Refusal> {
                    $crate::plan(&$buildpack, context, detection)
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}
