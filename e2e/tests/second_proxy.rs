//! Visitors through nginx in Traefik's place: the plugin of `examples/plugin-ingress-nginx` renders, the node's agent checks, places,
//! reloads and confirms.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use slipway_e2e::{Platform, example, plugins_with, served_by, visit, visit_until};

const EXAMPLES: &[(&str, &str)] = &[
    ("node-express", "server.js"),
    ("python-flask", "app.py"),
    ("php-plain", "public/index.php"),
    ("dockerfile-app", "content/index.txt"),
];
const NGINX: &str = "nginx=/usr/sbin/nginx";

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins")
}

/// The program that the ingress's process is.
fn ingress_program(platform: &Platform) -> Result<PathBuf> {
    let note: Value = serde_json::from_slice(&fs::read(platform.data_dir().join("agent/ingress/process.json"))?)?;
    Ok(fs::read_link(format!("/proc/{}/exe", note["pid"]))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_examples_are_served_by_nginx() -> Result<()> {
    let plugins = plugins_with("ingress-nginx", None, &target())?;
    fs::remove_dir_all(plugins.path().join("ingress-traefik"))?;
    let platform = Platform::start_with(&[("SLIPWAY_PROXY", NGINX)], Some(plugins.path().to_owned())).await?;
    for (name, main_file) in EXAMPLES {
        let source = example(name)?;
        platform.deploy(source.path(), name).await?.expect_live();
        let host = platform.host(name);
        let before = visit(platform.ingress, &host, "/").await?;
        ensure!(before.status == 200 && before.body.starts_with("Hello from "), "{name}: {before:?}");
        assert_eq!(served_by(platform.ingress, &host).await?.as_deref(), Some("nginx"), "{name}");

        let file = source.path().join(main_file);
        let text = fs::read_to_string(&file)?;
        fs::write(&file, text.replace("Hello from ", "Greetings from "))?;
        platform.deploy(source.path(), name).await?.expect_live();
        visit_until(platform.ingress, &host, Duration::from_secs(5), |answer| answer.body.starts_with("Greetings from ")).await?;
    }
    assert!(ingress_program(&platform)?.ends_with("nginx"));
    assert_eq!(visit(platform.ingress, "nobody.localhost", "/").await?.status, 404, "an unknown host is nobody's");

    // What nginx reads is what the plugin rendered: a file for each application, with addresses in it.
    let routes = platform.data_dir().join("agent/ingress-nginx/routes");
    let texts: Vec<String> = fs::read_dir(routes)?.map(|entry| Ok(fs::read_to_string(entry?.path())?)).collect::<Result<_>>()?;
    assert_eq!(texts.len(), EXAMPLES.len());
    assert!(texts.iter().all(|text| text.contains("upstream app_") && !text.contains('@')), "{texts:#?}");

    // An application that goes leaves nothing behind.
    platform.slipway_json(&["apps", "delete", "php-plain", "--confirm", "php-plain"])?;
    let host = platform.host("php-plain");
    visit_until(platform.ingress, &host, Duration::from_secs(30), |answer| answer.status == 404).await?;
    platform.settle(Duration::from_secs(30)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ingress_takes_over_when_it_is_enabled_and_gives_back() -> Result<()> {
    let plugins = plugins_with("ingress-nginx", None, &target())?;
    let platform = Platform::start_with(&[("SLIPWAY_PROXY", NGINX)], Some(plugins.path().to_owned())).await?;
    platform.slipway_json(&["plugin", "disable", "ingress-nginx"])?;
    let source = example("node-express")?;
    platform.deploy(source.path(), "shop").await?.expect_live();
    let host = platform.host("shop");
    assert_eq!(served_by(platform.ingress, &host).await?, None, "Traefik says nothing of itself");

    for (enabled, disabled, program) in [("ingress-nginx", "ingress-traefik", "nginx"), ("ingress-traefik", "ingress-nginx", "traefik")] {
        platform.slipway_json(&["plugin", "enable", enabled])?;
        platform.slipway_json(&["plugin", "disable", disabled])?;
        let serves = async {
            loop {
                let is_program = ingress_program(&platform).is_ok_and(|path| path.to_string_lossy().contains(program));
                if is_program && visit(platform.ingress, &host, "/").await.is_ok_and(|answer| answer.status == 200) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), serves).await.with_context(|| format!("{program}:\n{}", platform.log()))?;
        platform.deploy(source.path(), "shop").await?.expect_live();
    }
    Ok(())
}

/// The text of the application's only route file.
fn route_file(platform: &Platform, ingress: &str) -> Result<String> {
    let folder = platform.data_dir().join("agent").join(ingress).join("routes");
    let entry = fs::read_dir(&folder).with_context(|| folder.display().to_string())?.next().context("a route file")??;
    Ok(fs::read_to_string(entry.path())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_setting_is_in_the_proxys_files_without_a_deployment() -> Result<()> {
    let plugins = plugins_with("ingress-nginx", None, &target())?;
    let platform = Platform::start_with(&[("SLIPWAY_PROXY", NGINX)], Some(plugins.path().to_owned())).await?;
    let source = example("node-express")?;
    platform.deploy(source.path(), "shop").await?.expect_live();
    let host = platform.host("shop");
    assert!(!route_file(&platform, "ingress-nginx")?.contains("77s"));
    platform.slipway_json(&["plugin", "configure", "ingress-nginx", "answer_seconds=77"])?;
    let placed = async {
        while !route_file(&platform, "ingress-nginx").is_ok_and(|text| text.contains("77s")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), placed).await.with_context(|| platform.log())?;
    visit_until(platform.ingress, &host, Duration::from_secs(10), |answer| answer.status == 200).await?;
    Ok(())
}

/// Without the program, nothing is built in vain and nobody waits: the deployment is refused with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_program_gets_no_applications_and_says_why() -> Result<()> {
    let plugins = plugins_with("ingress-nginx", None, &target())?;
    fs::remove_dir_all(plugins.path().join("ingress-traefik"))?;
    let platform = Platform::start_with(&[], Some(plugins.path().to_owned())).await?;
    let source = example("node-express")?;
    let begun = std::time::Instant::now();
    let report = platform.deploy(source.path(), "shop").await?.expect_failure();
    assert!(report.to_string().contains("this node has no nginx"), "{report:#}");
    assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?}", begun.elapsed());
    Ok(())
}
