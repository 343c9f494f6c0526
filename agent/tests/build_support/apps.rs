//! Real apps and the buildpacks that we ship, for the builder.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use slipway_buildpack_wit::{LockedTool, Tool};
use slipway_protocol::SourceSpec;

use super::Bench;

/// Every buildpack that we ship.
pub const BUILDPACKS: [&str; 4] = ["node", "python", "php", "dockerfile"];

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The component, built by the command that makes the one we ship.
pub fn component(id: &str) -> Vec<u8> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let built = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["build", "--quiet", "--profile", "wasm", "--target", "wasm32-wasip2", "-p", &format!("slipway-buildpack-{id}")])
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .unwrap();
    assert!(built.success(), "the component does not build; `rustup target add wasm32-wasip2`?");
    fs::read(target.join(format!("wasm32-wasip2/wasm/slipway_buildpack_{id}.wasm"))).unwrap()
}

pub fn upload(bench: &Bench, directory: &Path) -> SourceSpec {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    tar.append_dir_all(".", directory).unwrap();
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    SourceSpec::Upload { size_bytes: bytes.len() as u64, sha256: bench.blobs.add(bytes) }
}

/// What the runtimes would resolve the tool to.
pub fn image_of(tool: &str) -> &'static str {
    match tool {
        "node" => "node:22-slim",
        "python" => "python:3.13-slim",
        "php" => "php:8.2-apache",
        other => panic!("no image for {other}"),
    }
}

pub fn locked(tool: &Tool, image: &str) -> LockedTool {
    LockedTool { constraint: tool.constraint.clone(), version: "0".into(), build_image: image.into(), run_image: image.into() }
}
