//! Plugin directories made of libraries that cargo really built.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use slipway_plugin_host::{Options, Plugin, PluginHost, Trusted};
use tempfile::TempDir;

pub const SHIPPED: [&str; 6] = ["runtime-node", "runtime-python", "runtime-php", "runtime-docker", "billing-hourly", "ingress-traefik"];
const FIXTURES: [&str; 6] = ["evil", "wrong-abi", "missing-symbol", "small-table", "future-messages", "slow-start"];

/// Where the libraries are, built once per test program into the target directory that the program itself came from.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = env::current_exe().unwrap();
    let profile_directory = program.ancestors().nth(2).unwrap().to_owned();
    let profile = match profile_directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    build.args(["build", "--quiet", "--profile", profile, "--manifest-path"]).arg(workspace().join("Cargo.toml"));
    build.arg("--target-dir").arg(profile_directory.parent().unwrap());
    for name in SHIPPED {
        build.arg("--package").arg(format!("slipway-plugin-{name}"));
    }
    for name in FIXTURES {
        build.arg("--package").arg(format!("slipway-plugin-fixture-{name}"));
    }
    assert!(build.status().unwrap().success(), "the plugins do not build");
    profile_directory
});

/// Where the components are: the same crates, built for the sandbox.
static COMPONENTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap().to_owned();
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    build
        .args(["build", "--quiet", "--profile", "wasm", "--target", "wasm32-wasip2", "--manifest-path"])
        .arg(workspace().join("Cargo.toml"));
    build.arg("--target-dir").arg(&target);
    for package in ["slipway-plugin-fixture-evil", "slipway-plugin-billing-hourly", "slipway-plugin-runtime-node"] {
        build.arg("--package").arg(package);
    }
    assert!(build.status().unwrap().success(), "the components do not build; `rustup target add wasm32-wasip2`?");
    target.join("wasm32-wasip2/wasm")
});

/// What a plugin's process is in these tests.
pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_slipway-plugin-host").into()
}

/// Nothing runs in the test's own process.
pub fn apart() -> Options {
    Options {
        trusted: Trusted::Those(Default::default()),
        program: Some(program()),
        // Kept between runs, as a platform keeps it. This program compiles: the other is not the one that can.
        compiled: Some(COMPONENTS.join("compiled-plugins")),
        ..Options::default()
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A directory of plugins, removed with the value.
pub struct Plugins(TempDir);

impl Plugins {
    pub fn none() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn directory(&self, name: &str) -> PathBuf {
        let directory = self.path().join(name);
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// A plugin as it is shipped: its own manifest and library, and a buildpack that only looks like one.
    pub fn with_shipped(self, name: &str) -> Self {
        let directory = self.directory(name);
        fs::copy(workspace().join("plugins").join(name).join("plugin.toml"), directory.join("plugin.toml")).unwrap();
        let library = format!("libslipway_plugin_{}.so", name.replace('-', "_"));
        fs::copy(BUILT.join(&library), directory.join(&library)).unwrap();
        if let Some(slug) = name.strip_prefix("runtime-") {
            let slug = if slug == "docker" { "dockerfile" } else { slug };
            fs::write(directory.join(format!("{slug}.wasm")), b"\0asm\x0d\0\x01\0").unwrap();
        }
        self
    }

    /// A fixture's library under a manifest that says it is of this kind.
    pub fn with_fixture(self, name: &str, kind: &str) -> Self {
        let library = BUILT.join(format!("libslipway_plugin_fixture_{}.so", name.replace('-', "_")));
        let bytes = fs::read(library).unwrap();
        self.with_library(name, kind, &bytes)
    }

    pub fn with_library(self, id: &str, kind: &str, bytes: &[u8]) -> Self {
        let directory = self.directory(id);
        fs::write(directory.join("it.so"), bytes).unwrap();
        let manifest = format!(
            "id = {id:?}\nname = \"A plugin\"\nversion = \"1.2.3\"\nkind = {kind:?}\nmessage_versions = [1, 3]\nlibrary = \"it.so\"\n"
        );
        fs::write(directory.join("plugin.toml"), manifest).unwrap();
        self
    }

    /// A fixture or a shipped plugin as a component, under a manifest that says so.
    pub fn with_component(self, package: &str, id: &str, kind: &str) -> Self {
        let bytes = component(package);
        self.with_library(id, kind, &bytes).append_to_manifest(id, "form = \"wasm\"\n")
    }

    pub fn append_to_manifest(self, name: &str, text: &str) -> Self {
        let path = self.path().join(name).join("plugin.toml");
        let manifest = fs::read_to_string(&path).unwrap();
        fs::write(path, manifest + text).unwrap();
        self
    }

    pub async fn open(&self) -> PluginHost {
        self.open_with(Options::default()).await
    }

    pub async fn open_with(&self, options: Options) -> PluginHost {
        PluginHost::open(self.path(), options).await.unwrap()
    }
}

/// The library of a shipped plugin, as built.
pub fn shipped_library(name: &str) -> Vec<u8> {
    fs::read(BUILT.join(format!("libslipway_plugin_{}.so", name.replace('-', "_")))).unwrap()
}

pub fn component(package: &str) -> Vec<u8> {
    fs::read(COMPONENTS.join(format!("{}.wasm", package.replace('-', "_")))).unwrap()
}

/// The one plugin that a host has.
pub fn only(host: &PluginHost) -> std::sync::Arc<Plugin> {
    let plugins = host.plugins();
    assert_eq!(plugins.len(), 1, "{:?}", host.incompatible());
    plugins[0].clone()
}

/// Why the one directory that did not load did not.
pub fn reason(host: &PluginHost) -> String {
    let incompatible = host.incompatible();
    assert_eq!(incompatible.len(), 1, "{incompatible:?}");
    incompatible[0].reason.to_string()
}
