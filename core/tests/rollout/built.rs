//! A directory of the plugins that a deployment needs, with libraries that cargo really built.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use slipway_model::Sha256Digest;
use tempfile::TempDir;

const PLUGINS: [&str; 4] = ["runtime-node", "runtime-docker", "billing-hourly", "ingress-traefik"];

/// Built once per test program, into the target directory that the program itself came from.
static LIBRARIES: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = env::current_exe().unwrap();
    let profile_directory = program.ancestors().nth(2).unwrap().to_owned();
    let profile = match profile_directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    build.args(["build", "--quiet", "--profile", profile, "--manifest-path"]).arg(workspace().join("Cargo.toml"));
    build.arg("--target-dir").arg(profile_directory.parent().unwrap());
    for name in PLUGINS {
        build.arg("--package").arg(format!("slipway-plugin-{name}"));
    }
    build.args(["--package", "slipway-plugin-fixture-evil"]);
    assert!(build.status().unwrap().success(), "the plugins do not build");
    profile_directory
});

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Shared by all tests of the program: nobody writes into it.
static PLUGIN_DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let mut sums = String::new();
    for name in PLUGINS {
        let plugin = directory.path().join(name);
        fs::create_dir_all(&plugin).unwrap();
        fs::copy(workspace().join("plugins").join(name).join("plugin.toml"), plugin.join("plugin.toml")).unwrap();
        let library = format!("libslipway_plugin_{}.so", name.replace('-', "_"));
        // Nothing is dropped that lives as long as the program: of a library of 10 MB a link stays behind, and no copy.
        let (from, to) = (LIBRARIES.join(&library), plugin.join(&library));
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).unwrap();
        }
        sums += &format!("{}  {name}/{library}\n", Sha256Digest::of(&fs::read(&to).unwrap()));
        if let Some(slug) = name.strip_prefix("runtime-") {
            let slug = if slug == "docker" { "dockerfile" } else { slug };
            // It only looks like a buildpack: the agents of these tests run none.
            fs::write(plugin.join(format!("{slug}.wasm")), [b"\0asm\x0d\0\x01\0", slug.as_bytes()].concat()).unwrap();
        }
    }
    fs::write(directory.path().join("SHA256SUMS"), sums).unwrap();
    directory
});

/// The library of a plugin that misbehaves when it is asked to.
#[allow(dead_code, reason = "one of the programs that share this file uses it")]
pub fn evil() -> Vec<u8> {
    fs::read(LIBRARIES.join("libslipway_plugin_fixture_evil.so")).unwrap()
}

/// `slipway`, which a build of the whole workspace lays beside the tests.
pub fn program() -> PathBuf {
    let program = env::current_exe().unwrap();
    program.ancestors().nth(2).unwrap().join("slipway")
}

pub fn plugins() -> PathBuf {
    PLUGIN_DIRECTORY.path().to_owned()
}
