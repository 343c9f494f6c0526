//! A directory of the plugins that a deployment needs, with libraries that cargo really built.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

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
    assert!(build.status().unwrap().success(), "the plugins do not build");
    profile_directory
});

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Shared by all tests of the program: nobody writes into it.
static PLUGIN_DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
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
        if let Some(slug) = name.strip_prefix("runtime-") {
            let slug = if slug == "docker" { "dockerfile" } else { slug };
            // It only looks like a buildpack: the agents of these tests run none.
            fs::write(plugin.join(format!("{slug}.wasm")), [b"\0asm\x0d\0\x01\0", slug.as_bytes()].concat()).unwrap();
        }
    }
    directory
});

pub fn plugins() -> PathBuf {
    PLUGIN_DIRECTORY.path().to_owned()
}
