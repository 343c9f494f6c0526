//! The same source, built twice with nothing in any cache: what is then equal, and what is not. docs/builds.md tells it to people.

mod build_support;

use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use build_support::{
    Bench,
    apps::{BUILDPACKS, component, image_of, locked, upload, workspace},
    remove_image,
};
use sha2::{Digest as _, Sha256};
use slipway_buildpack_wit::Plan;
use slipway_model::BuildConfig;
use slipway_protocol::{BuildLimits, BuildTask, BuildpackRef, Outcome, PlanTask, SourceSpec, TaskSpec};

/// A file or directory of a layer, without its times.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: u8,
    mode: u32,
    owner: (u64, u64),
    link: Option<Vec<u8>>,
    content: [u8; 32],
}

struct Layer {
    digest: String,
    entries: BTreeMap<String, Entry>,
}

/// Builds the app upon a copy of its base image that differs from every other, so that no build before this one can lend it a step; the
/// layers above the base.
async fn built(bench: &Bench, source: &SourceSpec, plan: &Plan, name: &str) -> Vec<Layer> {
    let (mut lock, mut bases) = (BTreeMap::new(), Vec::new());
    for tool in &plan.fragment.tools {
        let marked = bench.dockerfile(
            &format!("{name}-base-{}", tool.name),
            &format!("FROM {}\nRUN echo {} > /var/tmp/mark\n", image_of(&tool.name), uuid::Uuid::new_v4()),
            &[],
        );
        let image = marked.image.clone();
        let ran = bench.run(&bench.task(TaskSpec::Build(marked))).await;
        assert!(matches!(ran.outcome, Outcome::Built { .. }), "{:?}\n{}", ran.outcome, ran.log());
        lock.insert(tool.name.clone(), locked(tool, &image));
        bases.push(image);
    }
    let image = format!("slipway-build-test/{name}:1");
    let spec = BuildTask {
        source: source.clone(),
        root_directory: ".".into(),
        plan: plan.clone(),
        lock,
        image: image.clone(),
        labels: BTreeMap::new(),
        secrets: BTreeMap::new(),
        limits: BuildLimits::default(),
        fresh: false,
        caches_since: None,
    };
    // A new application each time, whose download caches are empty.
    let ran = bench.run(&bench.task(TaskSpec::Build(spec))).await;
    assert!(matches!(ran.outcome, Outcome::Built { .. }), "{name}: {:?}\n{}", ran.outcome, ran.log());
    assert!(!ran.log().contains("RUN") || !ran.log().contains("unchanged, taken from the cache"), "{}", ran.log());
    let below = digests(&bases[0]).len();
    let layers = layers(&image).split_off(below);
    for image in bases.iter().chain([&image]) {
        remove_image(image).await;
    }
    layers
}

fn digests(image: &str) -> Vec<String> {
    let output = Command::new("docker").args(["image", "inspect", image, "--format", "{{json .RootFS.Layers}}"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn layers(image: &str) -> Vec<Layer> {
    let mut saving = Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
    let directory = tempfile::tempdir().unwrap();
    tar::Archive::new(saving.stdout.take().unwrap()).unpack(directory.path()).unwrap();
    assert!(saving.wait().unwrap().success());
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(directory.path().join("manifest.json")).unwrap()).unwrap();
    let files = manifest[0]["Layers"].as_array().unwrap();
    let layer = |(digest, file): (String, &serde_json::Value)| {
        let bytes = std::fs::read(directory.path().join(file.as_str().unwrap())).unwrap();
        Layer { digest, entries: entries(&bytes) }
    };
    digests(image).into_iter().zip(files).map(layer).collect()
}

fn entries(layer: &[u8]) -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(layer).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        // Python notes the time and size of the source in the compiled file's bytes 8 to 15.
        if path.ends_with(".pyc") && content.len() > 16 {
            content.drain(8..16);
        }
        let header = entry.header();
        let known = Entry {
            kind: header.entry_type().as_byte(),
            mode: header.mode().unwrap(),
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            link: entry.link_name_bytes().map(|link| link.into_owned()),
            content: Sha256::digest(&content).into(),
        };
        found.insert(path, known);
    }
    found
}

/// Builds an app twice. Each layer is the same; those in `timed` hold what a package manager or the engine itself gave the time of the
/// build, so that their digests differ though nothing else does.
async fn builds_the_same(directory: &Path, timed: &[usize]) {
    let bench = Bench::with(|config| {
        let bundle = Path::new("/etc/ssl/certs/ca-certificates.crt");
        config.ca_bundle = bundle.exists().then(|| bundle.to_owned());
    });
    let name = directory.file_name().unwrap().to_str().unwrap();
    let source = upload(&bench, directory);
    let buildpacks = BUILDPACKS.map(|id| BuildpackRef { id: id.into(), sha256: bench.blobs.add(component(id)) }).to_vec();
    let task = bench.task(TaskSpec::Plan(PlanTask { source: source.clone(), config: BuildConfig::default(), buildpacks }));
    let ran = bench.run(&task).await;
    let Outcome::Planned { plan, .. } = &ran.outcome else { panic!("{name}: {:?}\n{}", ran.outcome, ran.log()) };

    let one = built(&bench, &source, plan, &format!("{name}-one")).await;
    let other = built(&bench, &source, plan, &format!("{name}-other")).await;
    assert_eq!(one.len(), other.len(), "{name}");
    let mut unequal = Vec::new();
    for (index, (one, other)) in one.iter().zip(&other).enumerate() {
        let differs: Vec<_> =
            one.entries.iter().filter(|(path, entry)| other.entries.get(*path) != Some(entry)).map(|(path, _)| path).collect();
        assert!(differs.is_empty() && one.entries.len() == other.entries.len(), "{name}, layer {index}: {differs:?}");
        if one.digest != other.digest {
            unequal.push(index);
        }
    }
    assert_eq!(unequal, timed, "{name}: layers whose times differ, of {}", one.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_of_files_has_the_same_layers_but_for_the_directory_of_its_server() {
    builds_the_same(&workspace().join("e2e/apps/static/plain"), &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_php_has_the_same_layers_but_for_the_directory_of_its_servers_configuration() {
    builds_the_same(&workspace().join("examples/php-plain"), &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_node_has_the_same_layers_but_for_the_times_of_what_npm_installs() {
    builds_the_same(&workspace().join("examples/node-express"), &[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_python_has_the_same_layers_but_for_the_times_of_what_pip_installs() {
    builds_the_same(&workspace().join("examples/python-flask"), &[0]).await;
}
