//! A real app, through its real buildpack, to a container that answers.

mod build_support;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bollard::models::{ContainerCreateBody, HostConfig, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use build_support::{Bench, docker, remove_image};
use slipway_buildpack_wit::LockedTool;
use slipway_model::BuildConfig;
use slipway_protocol::{BuildTask, BuildpackRef, Outcome, PlanTask, SourceSpec, TaskSpec};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The component, built by the command that makes the one we ship.
fn component(id: &str) -> Vec<u8> {
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

fn upload(bench: &Bench, directory: &Path) -> SourceSpec {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    tar.append_dir_all(".", directory).unwrap();
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    SourceSpec::Upload { size_bytes: bytes.len() as u64, sha256: bench.blobs.add(bytes) }
}

fn bench() -> Bench {
    let bundle = Path::new("/etc/ssl/certs/ca-certificates.crt");
    Bench::with(|config| config.ca_bundle = bundle.exists().then(|| bundle.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_app_is_planned_built_and_answers() {
    let bench = bench();
    let source = upload(&bench, &workspace().join("examples/node-express"));
    let buildpacks = vec![BuildpackRef { id: "node".into(), sha256: bench.blobs.add(component("node")) }];
    let mut task = bench.task(TaskSpec::Plan(PlanTask { source: source.clone(), config: BuildConfig::default(), buildpacks }));
    let ran = bench.run(&task).await;
    let Outcome::Planned { plan, .. } = &ran.outcome else { panic!("{:?}\n{}", ran.outcome, ran.log()) };
    assert_eq!(plan.buildpack, "node");
    assert!(ran.log().contains("package.json"), "{}", ran.log());

    let locked = LockedTool {
        constraint: plan.fragment.tools[0].constraint.clone(),
        version: "22".into(),
        build_image: "node:22-slim".into(),
        run_image: "node:22-slim".into(),
    };
    let image = "slipway-build-test/node-express:1".to_owned();
    // The same deployment: its source is still there.
    assert!(bench.data.path().join("builds").join(task.deployment.to_string()).join("src/package.json").exists());
    task.spec = TaskSpec::Build(BuildTask {
        source,
        root_directory: ".".into(),
        plan: plan.clone(),
        lock: plan.fragment.tools.iter().map(|tool| (tool.name.clone(), locked.clone())).collect(),
        image: image.clone(),
        labels: BTreeMap::new(),
        secrets: BTreeMap::new(),
        limits: Default::default(),
    });
    let ran = bench.run(&task).await;
    assert!(matches!(ran.outcome, Outcome::Built { .. }), "{:?}\n{}", ran.outcome, ran.log());
    assert!(!ran.log().contains("Unpacking"), "the source was unpacked twice\n{}", ran.log());
    assert!(!ran.log().contains("--mount"), "{}", ran.log());
    let answer = answer(&image).await;
    remove_image(&image).await;
    assert!(answer.unwrap().status().is_success());
}

/// What the image answers to `GET /`, on a network of its own.
async fn answer(image: &str) -> Result<reqwest::Response, String> {
    const NAME: &str = "slipway-build-test-app";
    let engine = docker();
    let _ = engine.create_network(NetworkCreateRequest { name: NAME.into(), ..Default::default() }).await;
    let config = ContainerCreateBody {
        image: Some(image.into()),
        env: Some(vec!["PORT=3000".into()]),
        host_config: Some(HostConfig { network_mode: Some(NAME.into()), ..Default::default() }),
        ..Default::default()
    };
    engine.create_container(Some(CreateContainerOptionsBuilder::default().name(NAME).build()), config).await.unwrap();
    engine.start_container(NAME, None::<StartContainerOptions>).await.unwrap();
    let inspected = engine.inspect_container(NAME, None::<InspectContainerOptions>).await.unwrap();
    let networks = inspected.network_settings.unwrap().networks.unwrap();
    let url = format!("http://{}:3000/", networks[NAME].ip_address.clone().unwrap());
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = client.build().unwrap();
    let mut answer = Err("never tried".to_owned());
    for _ in 0..40 {
        answer = client.get(&url).send().await.map_err(|error| error.to_string());
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    engine.remove_container(NAME, Some(RemoveContainerOptionsBuilder::default().force(true).build())).await.unwrap();
    engine.remove_network(NAME).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_nobody_knows_is_refused_with_what_was_looked_for() {
    let bench = bench();
    let source = bench.upload(&[("README.md", "hello")]);
    let buildpacks = vec![BuildpackRef { id: "node".into(), sha256: bench.blobs.add(component("node")) }];
    let task = bench.task(TaskSpec::Plan(PlanTask { source, config: BuildConfig::default(), buildpacks }));
    let ran = bench.run(&task).await;
    assert_eq!(ran.failure().code, "NO_BUILDPACK");
    assert!(ran.failure().message.contains("node"), "{}", ran.failure());
    assert!(!bench.data.path().join("builds").join(task.deployment.to_string()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buildpack_that_is_none_is_not_the_apps_fault() {
    let bench = bench();
    let source = bench.upload(&[("README.md", "hello")]);
    let buildpacks = vec![BuildpackRef { id: "node".into(), sha256: bench.blobs.add(b"not a component".to_vec()) }];
    let ran = bench.run(&bench.task(TaskSpec::Plan(PlanTask { source, config: BuildConfig::default(), buildpacks }))).await;
    assert_eq!(ran.failure().code, "BUILDPACK_FAILED");
}
