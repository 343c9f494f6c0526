//! A source may be anything. Each of these ends in a plan or a refusal of the four buildpacks that we ship, within a call's limits: a
//! buildpack that fails on a tree is an error of its own ([`PlanFailure::Host`]), which none of these may be.

mod support;

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
};

use slipway_buildpack_host::{PlanFailure, PlanRequest, plan_directory};
use support::{host, shipped, tree};

const MANIFEST: (&str, &str) = ("package.json", r#"{ "scripts": { "start": "node a.js" } }"#);

/// The buildpack that plans it, or the refusal's code.
async fn answer(tree: &Path) -> Result<String, String> {
    match plan_directory(&shipped(&host()), tree, &PlanRequest::default()).await {
        Ok(plan) => Ok(plan.buildpack),
        Err(PlanFailure::Refused(refusal)) => Err(refusal.code),
        Err(PlanFailure::NoMatch { .. }) => Err("NO_MATCH".into()),
        Err(failure) => panic!("{failure}"),
    }
}

fn planned_by(buildpack: &str) -> Result<String, String> {
    Ok(buildpack.to_owned())
}

fn refused_with(code: &str) -> Result<String, String> {
    Err(code.to_owned())
}

fn sparse(path: &Path, bytes: u64) {
    fs::File::create(path).unwrap().set_len(bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_files_in_the_root_and_below_it() {
    let tree = tree(&[MANIFEST]);
    for directory in 0..50 {
        fs::create_dir_all(tree.path().join(format!("data/{directory}"))).unwrap();
        for file in 0..1_000 {
            fs::write(tree.path().join(format!("data/{directory}/{file}.py")), "").unwrap();
            fs::write(tree.path().join(format!("{directory}-{file}.txt")), "").unwrap();
        }
    }
    assert_eq!(answer(tree.path()).await, planned_by("node"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_where_a_manifest_or_a_lockfile_is_expected() {
    let source = tree(&[MANIFEST]);
    sparse(&source.path().join("video.bin"), 1 << 30);
    assert_eq!(answer(source.path()).await, planned_by("node"));
    for (file, code) in [
        ("package.json", "FILE_TOO_LARGE"),
        ("requirements.txt", "FILE_TOO_LARGE"),
        ("composer.json", "FILE_TOO_LARGE"),
        ("Dockerfile", "FILE_TOO_LARGE"),
    ] {
        let source = tree(&[]);
        sparse(&source.path().join(file), 1 << 30);
        assert_eq!(answer(source.path()).await, refused_with(code), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_lead_in_circles_or_out_of_the_tree() {
    let source = tree(&[MANIFEST]);
    for (link, to) in [("self", "."), ("one", "two"), ("two", "one"), ("up", ".."), ("root", "/"), ("requirements.txt", "requirements.txt")]
    {
        symlink(to, source.path().join(link)).unwrap();
    }
    assert_eq!(answer(source.path()).await, planned_by("node"));
    // What is outside is not there.
    let outside = tree(&[MANIFEST]);
    let source = tree(&[("README.md", "")]);
    symlink(outside.path().join("package.json"), source.path().join("package.json")).unwrap();
    assert_eq!(answer(source.path()).await, refused_with("NO_MATCH"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_text_and_manifests_that_are_no_files() {
    let source = tree(&[MANIFEST, ("Dockerfile/README", ""), ("requirements.txt/a/b", ""), ("composer.json/x", "")]);
    fs::write(source.path().join(OsStr::from_bytes(b"\xff\xfe.py")), "").unwrap();
    fs::create_dir(source.path().join(OsStr::from_bytes(b"caf\xe9"))).unwrap();
    let status = std::process::Command::new("mkfifo").arg(source.path().join("Procfile")).status().unwrap();
    assert!(status.success());
    assert_eq!(answer(source.path()).await, planned_by("node"));
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_below_directories_without_end() {
    let source = tree(&[MANIFEST]);
    let mut deep = source.path().to_path_buf();
    for _ in 0..300 {
        deep.push("packages");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("main.py"), "").unwrap();
    assert_eq!(answer(source.path()).await, planned_by("node"));
}
