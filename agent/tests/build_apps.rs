//! A real app, through its real buildpack, to a container that answers.

mod build_support;

use std::{collections::BTreeMap, path::Path, time::Duration};

use bollard::models::{ContainerCreateBody, HostConfig, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use build_support::{
    Bench,
    apps::{BUILDPACKS, component, image_of, locked, upload, workspace},
    docker, remove_image,
};
use slipway_model::BuildConfig;
use slipway_protocol::{BuildLimits, BuildTask, BuildpackRef, Outcome, PlanTask, TaskSpec};

fn bench() -> Bench {
    let bundle = Path::new("/etc/ssl/certs/ca-certificates.crt");
    Bench::with(|config| config.ca_bundle = bundle.exists().then(|| bundle.to_owned()))
}

/// Plans and builds one of the examples with all buildpacks enabled, and asks what was built.
async fn deploy(example: &str, buildpack: &str) {
    deploy_directory(&workspace().join("examples").join(example), example, buildpack, "src/README.md").await;
}

/// The same for an application of ours, whose page names a script that its build made; the script is asked for too.
async fn deploy_with_script(app: &str, buildpack: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(app);
    let answers = deploy_directory(&directory, app, buildpack, "src/package.json").await;
    let (_, script) = answers[0].split_once(" with /").unwrap_or_else(|| panic!("{app} names no script: {answers:?}"));
    let name = script.rsplit('/').next().unwrap();
    assert!(name.starts_with("main-") && name.ends_with(".js") && name.len() > "main-.js".len(), "a name with a hash: {name}");
    assert!(answers[1].contains("built by Vite"), "the script that the page names: {answers:?}");
}

/// What it answers to `/`, and to the path that the answer names behind the word `with`.
async fn deploy_directory(directory: &Path, example: &str, buildpack: &str, kept: &str) -> Vec<String> {
    let bench = bench();
    let source = upload(&bench, directory);
    let buildpacks = BUILDPACKS.map(|id| BuildpackRef { id: id.into(), sha256: bench.blobs.add(component(id)) }).to_vec();
    let mut task = bench.task(TaskSpec::Plan(PlanTask { source: source.clone(), config: BuildConfig::default(), buildpacks }));
    let ran = bench.run(&task).await;
    let Outcome::Planned { plan, .. } = &ran.outcome else { panic!("{example}: {:?}\n{}", ran.outcome, ran.log()) };
    assert_eq!(plan.buildpack, buildpack);
    assert!(ran.log().contains(&format!("Found: {buildpack}")), "{}", ran.log());
    // The build is of the same deployment: the source must still be there.
    assert!(bench.data.path().join("builds").join(task.deployment.to_string()).join(kept).exists());

    let image = format!("slipway-build-test/{example}:1");
    task.spec = TaskSpec::Build(BuildTask {
        source,
        root_directory: ".".into(),
        plan: plan.clone(),
        lock: plan.fragment.tools.iter().map(|tool| (tool.name.clone(), locked(tool, image_of(&tool.name)))).collect(),
        image: image.clone(),
        labels: BTreeMap::new(),
        secrets: BTreeMap::new(),
        limits: BuildLimits::default(),
        fresh: false,
        caches_since: None,
    });
    let ran = bench.run(&task).await;
    assert!(matches!(ran.outcome, Outcome::Built { .. }), "{example}: {:?}\n{}", ran.outcome, ran.log());
    assert!(!ran.log().contains("Unpacking"), "the source was unpacked twice\n{}", ran.log());
    assert!(!ran.log().contains("--mount") && !ran.log().contains("ca.pem"), "{}", ran.log());
    let answer = answer(&image, example).await;
    remove_image(&image).await;
    let answers = answer.unwrap_or_else(|error| panic!("{example} does not answer: {error}"));
    assert!(answers[0].starts_with("Hello from"), "{example} answered {answers:?}");
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_app_is_planned_built_and_answers() {
    deploy("node-express", "node").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_app_is_planned_built_and_answers() {
    deploy("python-flask", "python").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_php_app_is_planned_built_and_answers() {
    deploy("php-plain", "php").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_dockerfile_is_planned_built_and_answers() {
    deploy("dockerfile-app", "dockerfile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_django_app_answers_with_the_script_that_vite_built_for_it() {
    deploy_with_script("django-vite", "python").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_php_app_answers_with_the_script_that_vite_built_for_it() {
    deploy_with_script("php-vite", "php").await;
}

/// What the image answers to `GET /`, and to the path that this answer names, on a network of its own.
async fn answer(image: &str, example: &str) -> Result<Vec<String>, String> {
    let name = format!("slipway-build-test-{example}");
    let engine = docker();
    let _ = engine.create_network(NetworkCreateRequest { name: name.clone(), ..Default::default() }).await;
    let config = ContainerCreateBody {
        image: Some(image.into()),
        env: Some(vec!["PORT=8080".into()]),
        host_config: Some(HostConfig { network_mode: Some(name.clone()), ..Default::default() }),
        ..Default::default()
    };
    engine.create_container(Some(CreateContainerOptionsBuilder::default().name(&name).build()), config).await.unwrap();
    engine.start_container(&name, None::<StartContainerOptions>).await.unwrap();
    let inspected = engine.inspect_container(&name, None::<InspectContainerOptions>).await.unwrap();
    let networks = inspected.network_settings.unwrap().networks.unwrap();
    let host = format!("http://{}:8080", networks[&name].ip_address.clone().unwrap());
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = client.build().unwrap();
    let get = async |path: &str| {
        let response = client.get(format!("{host}{path}")).send().await.and_then(reqwest::Response::error_for_status);
        match response {
            Ok(response) => response.text().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    };
    let mut answer = Err("never tried".to_owned());
    for _ in 0..60 {
        answer = get("/").await;
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let named = answer.as_ref().ok().and_then(|body| Some(body.split_once(" with ")?.1.to_owned()));
    let mut answers = answer.map(|body| vec![body]);
    if let (Ok(answers), Some(path)) = (&mut answers, named) {
        answers.push(get(&path).await.unwrap_or_else(|error| error));
    }
    engine.remove_container(&name, Some(RemoveContainerOptionsBuilder::default().force(true).build())).await.unwrap();
    engine.remove_network(&name).await.unwrap();
    answers
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

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_begin_side_by_side_on_a_new_node_fetch_a_buildpack_once() {
    let bench = bench();
    let source = bench.upload(&[("package.json", r#"{ "scripts": { "start": "node ." } }"#)]);
    let buildpacks = vec![BuildpackRef { id: "node".into(), sha256: bench.blobs.add(component("node")) }];
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let spec = PlanTask { source: source.clone(), config: BuildConfig::default(), buildpacks: buildpacks.clone() };
            bench.task(TaskSpec::Plan(spec))
        })
        .collect();
    for ran in futures::future::join_all(tasks.iter().map(|task| bench.run(task))).await {
        assert!(matches!(ran.outcome, Outcome::Planned { .. }), "{:?}\n{}", ran.outcome, ran.log());
    }
    assert_eq!(bench.blobs.times_fetched(buildpacks[0].sha256), 1);
}
