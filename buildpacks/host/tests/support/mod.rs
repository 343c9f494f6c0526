//! Builds the components once, for the tests that run them.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use slipway_buildpack_host::{Buildpack, Host, Limits};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The directory of the components, built by the same command that makes the ones we ship.
fn components() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
        let packages = [
            "slipway-buildpack-node",
            "slipway-buildpack-python",
            "slipway-buildpack-php",
            "slipway-buildpack-dockerfile",
            "slipway-hostile-buildpack",
        ];
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(workspace())
            .args(["build", "--quiet", "--profile", "wasm", "--target", "wasm32-wasip2"])
            .env("CARGO_TARGET_DIR", &target);
        for package in packages {
            cargo.args(["-p", package]);
        }
        assert!(cargo.status().unwrap().success(), "the components do not build; `rustup target add wasm32-wasip2`?");
        target.join("wasm32-wasip2/wasm")
    })
}

pub fn wasm(name: &str) -> Vec<u8> {
    fs::read(components().join(format!("{}.wasm", name.replace('-', "_")))).unwrap()
}

/// Compiled components are kept between runs beside the components themselves.
pub fn host() -> Host {
    Host::new(components().join("compiled")).unwrap()
}

pub fn strict_host(limits: Limits) -> Host {
    Host::with_limits(components().join("compiled"), limits).unwrap()
}

/// The four that we ship.
pub fn shipped(host: &Host) -> Vec<Buildpack> {
    ["node", "python", "php", "dockerfile"].map(|id| host.load(id, &wasm(&format!("slipway-buildpack-{id}"))).unwrap()).to_vec()
}

/// A tree with these files.
pub fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}
