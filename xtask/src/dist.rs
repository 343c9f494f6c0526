//! Lays out an installation: the binary `slipway` and `plugins/<id>/{plugin.toml, library, buildpack}`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{Message, TargetKind};
use sha2::{Digest as _, Sha256};

use crate::{cargo, root};

/// Plugin directory and the package of the buildpack that it carries.
const PLUGINS: &[(&str, Option<&str>)] = &[
    ("runtime-node", Some("slipway-buildpack-node")),
    ("runtime-python", Some("slipway-buildpack-python")),
    ("runtime-php", Some("slipway-buildpack-php")),
    ("runtime-docker", Some("slipway-buildpack-dockerfile")),
    ("billing-hourly", None),
    ("ingress-traefik", None),
];

pub fn assemble(release: bool, dist: &Path) -> Result<()> {
    let buildpacks = PLUGINS.iter().filter_map(|(_, buildpack)| *buildpack);
    let mut wasm = cargo();
    wasm.args(["build", "--profile", "wasm", "--target", "wasm32-wasip2"]);
    for package in buildpacks {
        wasm.args(["--package", package]);
    }
    if let Some(rustc) = wasm_compiler() {
        wasm.env("RUSTC", rustc);
    }
    let components = artifacts(&mut wasm)?;

    let mut native = cargo();
    native.args(["build", "--package", "slipway"]);
    for (plugin, _) in PLUGINS {
        native.args(["--package", &format!("slipway-plugin-{plugin}")]);
    }
    if release {
        native.arg("--release");
    }
    let libraries = artifacts(&mut native)?;

    fs::create_dir_all(dist)?;
    install(artifact(&libraries, "slipway")?, &dist.join("slipway"))?;
    let mut sums = String::new();
    for (plugin, buildpack) in PLUGINS {
        let directory = dist.join("plugins").join(plugin);
        fs::create_dir_all(&directory)?;
        let library = artifact(&libraries, &format!("slipway-plugin-{plugin}"))?;
        install(library, &directory.join(file_name(library)?))?;
        sums += &format!("{}  {plugin}/{}\n", hex::encode(Sha256::digest(fs::read(library)?)), file_name(library)?.display());
        install(&root().join("plugins").join(plugin).join("plugin.toml"), &directory.join("plugin.toml"))?;
        if let Some(package) = buildpack {
            let name = package.trim_start_matches("slipway-buildpack-");
            install(artifact(&components, package)?, &directory.join(format!("{name}.wasm")))?;
        }
    }
    // What came with the platform may run in its process: these libraries and no others.
    fs::write(dist.join("plugins/SHA256SUMS"), sums)?;
    println!("{} holds the binary and {} plugins", dist.display(), PLUGINS.len());
    Ok(())
}

/// Plugins that only measurements use, in `fixtures/`: components of what is shipped natively, and one that misbehaves, in either form.
pub fn measured_plugins(dist: &Path) -> Result<()> {
    let fixtures = dist.join("fixtures");
    fs::create_dir_all(&fixtures)?;
    let evil = "slipway-plugin-fixture-evil";
    let mut wasm = cargo();
    wasm.args(["build", "--profile", "wasm", "--target", "wasm32-wasip2", "--package", evil, "--package", "slipway-plugin-billing-hourly"]);
    if let Some(rustc) = wasm_compiler() {
        wasm.env("RUSTC", rustc);
    }
    let components = artifacts(&mut wasm)?;
    for package in [evil, "slipway-plugin-billing-hourly"] {
        install(artifact(&components, package)?, &fixtures.join(format!("{package}.wasm")))?;
    }
    let mut native = cargo();
    native.args(["build", "--release", "--package", evil]);
    install(artifact(&artifacts(&mut native)?, evil)?, &fixtures.join(format!("{evil}.so")))
}

/// Built beside the binary with the features of the whole workspace, so that no dependency is compiled twice.
pub fn measuring_program() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--release", "--workspace", "--bin", "measure"]);
    Ok(artifact(&artifacts(&mut build)?, "slipway-e2e")?.clone())
}

/// Runs a build and tells, by package, the file it produced: the binary, the native library or the component.
fn artifacts(command: &mut std::process::Command) -> Result<BTreeMap<String, PathBuf>> {
    command.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let mut child = command.spawn().context("cargo could not be started")?;
    let stdout = child.stdout.take().context("the build's output is piped")?;
    let mut found = BTreeMap::new();
    for message in Message::parse_stream(std::io::BufReader::new(stdout)) {
        let Message::CompilerArtifact(artifact) = message? else { continue };
        let wanted = artifact.target.kind.iter().any(|kind| matches!(kind, TargetKind::CDyLib | TargetKind::Bin));
        let file = artifact.filenames.iter().find(|file| matches!(file.extension(), Some("so" | "dylib" | "wasm") | None));
        if let (true, Some(file)) = (wanted, file) {
            let package = artifact.manifest_path.parent().context("a manifest lies in a directory")?;
            found.insert(package_name(package.as_std_path())?, file.clone().into_std_path_buf());
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "the build failed ({status})");
    Ok(found)
}

/// The compiler that `setup/rust.sh` obtained for WebAssembly where rustup could not add the target; `None` where it could.
fn wasm_compiler() -> Option<PathBuf> {
    let output = std::process::Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-wasip2"]).output().ok()?;
    let libraries = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    if libraries.is_dir() {
        return None;
    }
    let cache = std::env::var_os("SLIPWAY_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/slipway")))?;
    Some(cache.join("wasm-rustc/bin/rustc")).filter(|rustc| rustc.is_file())
}

fn package_name(directory: &Path) -> Result<String> {
    let manifest = fs::read_to_string(directory.join("Cargo.toml"))?;
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).context("a package has a name")?;
    Ok(name.trim_matches('"').to_owned())
}

fn artifact<'a>(artifacts: &'a BTreeMap<String, PathBuf>, package: &str) -> Result<&'a PathBuf> {
    artifacts.get(package).with_context(|| format!("the build of {package} produced no file"))
}

fn file_name(path: &Path) -> Result<&std::ffi::OsStr> {
    path.file_name().context("an artifact is a file")
}

/// Copies beside the target and renames over it: a running process keeps the file it has mapped.
fn install(from: &Path, to: &Path) -> Result<()> {
    if fs::read(from).ok().is_some_and(|new| fs::read(to).ok().is_some_and(|old| old == new)) {
        return Ok(());
    }
    let staged = to.with_extension("staged");
    fs::copy(from, &staged).with_context(|| format!("{} could not be copied", from.display()))?;
    fs::rename(&staged, to)?;
    Ok(())
}
