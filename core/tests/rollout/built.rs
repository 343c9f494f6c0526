//! A directory of the plugins that a deployment needs, with libraries that cargo really built.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use slipway_model::Sha256Digest;

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

/// Shared by all tests of all programs, of which each is a process of its own: nobody writes into it. It is named by the state of the
/// libraries, and lies with what cargo has built: what lives as long as a program is dropped by nobody.
static PLUGIN_DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let built = PLUGINS.map(|name| {
        let modified = fs::metadata(LIBRARIES.join(library(name))).unwrap().modified().unwrap();
        (modified, fs::read_to_string(manifest(name)).unwrap())
    });
    let state = Sha256Digest::of(format!("{built:?}").as_bytes()).to_string();
    let directory = all.join(format!("core-plugins-{}", &state[..16]));
    if !directory.exists() {
        let new = tempfile::tempdir_in(all).unwrap();
        lay_out(new.path());
        // Another process may have been as quick.
        match fs::rename(new.path(), &directory) {
            Ok(()) => drop(new.keep()),
            Err(error) => assert!(directory.exists(), "{error}"),
        }
    }
    directory
});

fn manifest(plugin: &str) -> PathBuf {
    workspace().join("plugins").join(plugin).join("plugin.toml")
}

fn library(plugin: &str) -> String {
    format!("libslipway_plugin_{}.so", plugin.replace('-', "_"))
}

fn lay_out(directory: &Path) {
    let mut sums = String::new();
    for name in PLUGINS {
        let plugin = directory.join(name);
        fs::create_dir_all(&plugin).unwrap();
        fs::copy(manifest(name), plugin.join("plugin.toml")).unwrap();
        let library = library(name);
        fs::copy(LIBRARIES.join(&library), plugin.join(&library)).unwrap();
        sums += &format!("{}  {name}/{library}\n", Sha256Digest::of(&fs::read(plugin.join(&library)).unwrap()));
        if let Some(slug) = name.strip_prefix("runtime-") {
            let slug = if slug == "docker" { "dockerfile" } else { slug };
            // It only looks like a buildpack: the agents of these tests run none.
            fs::write(plugin.join(format!("{slug}.wasm")), [b"\0asm\x0d\0\x01\0", slug.as_bytes()].concat()).unwrap();
        }
    }
    fs::write(directory.join("SHA256SUMS"), sums).unwrap();
}

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
    PLUGIN_DIRECTORY.clone()
}
