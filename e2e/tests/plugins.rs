//! What plugins bring is offered while they are enabled, and a bad one harms nobody.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;
use slipway_e2e::{Platform, Server, binary, fresh_copy, visit, write_app};

const PACKAGE: &str = r#"{ "name": "app", "version": "1.0.0", "private": true, "scripts": { "start": "node server.js" } }"#;
const SERVER: &str = "require('http').createServer((_, r) => r.end('ok\\n')).listen(process.env.PORT, '0.0.0.0')";

fn shipped_plugins() -> std::path::PathBuf {
    slipway_e2e::dist().join("plugins")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_runtime_is_not_offered_and_an_app_that_needs_it_is_refused_with_that_reason() -> Result<()> {
    let platform = Platform::start().await?;
    let app = write_app(&[("package.json", PACKAGE), ("server.js", SERVER)])?;
    platform.deploy(app.path(), "shop").await?.expect_live();

    let refused = platform.slipway(&["plugin", "disable", "runtime-node"])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("in use by"), "it is in use: {said}");
    platform.slipway_json(&["plugin", "disable", "runtime-node", "--drain"])?;
    let offered = platform.query("{ runtimes(first: 100) { nodes { kind } } }", serde_json::json!({})).await?;
    assert!(!offered.to_string().contains("\"node\""), "{offered:#}");
    let report = platform.deploy(app.path(), "shop").await?.expect_failure();
    let said = report.to_string().to_lowercase();
    assert!(said.contains("node") && said.contains("disabled"), "the reason is given: {report:#}");
    assert_eq!(visit(platform.ingress, &platform.host("shop"), "/").await?.body, "ok\n", "what runs goes on");

    platform.slipway_json(&["plugin", "enable", "runtime-node"])?;
    platform.deploy(app.path(), "shop").await?.expect_live();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_is_none_is_left_out_with_its_reason_and_the_rest_works() -> Result<()> {
    let plugins = fresh_copy(&shipped_plugins())?;
    let broken = plugins.path().join("runtime-broken");
    fs::create_dir(&broken)?;
    let manifest = fs::read_to_string(plugins.path().join("runtime-node/plugin.toml"))?;
    let manifest = manifest.replace("\"runtime-node\"", "\"runtime-broken\"").replace("libslipway_plugin_runtime_node.so", "broken.so");
    fs::write(broken.join("plugin.toml"), manifest)?;
    fs::write(broken.join("broken.so"), "this is no library")?;
    fs::copy(plugins.path().join("runtime-node/node.wasm"), broken.join("node.wasm"))?;

    let platform = Platform::start_with(&[], Some(plugins.path().to_owned())).await?;
    let listed = platform.slipway_json(&["plugin", "list"])?;
    let broken = listed.as_array().into_iter().flatten().find(|plugin| plugin["name"] == "runtime-broken");
    assert_eq!(broken.map(|plugin| &plugin["status"]), Some(&"INCOMPATIBLE".into()), "{listed:#}");
    assert!(broken.is_some_and(|plugin| plugin["statusReason"].is_string()), "{listed:#}");

    let app = write_app(&[("package.json", PACKAGE), ("server.js", SERVER)])?;
    platform.deploy(app.path(), "shop").await?.expect_live();
    Ok(())
}

/// A plugin that did not come with the platform: the hourly billing under another name.
fn own_plugin(version: &str) -> Result<tempfile::TempDir> {
    let directory = fresh_copy(&shipped_plugins().join("billing-hourly"))?;
    let path = directory.path().join("plugin.toml");
    let manifest =
        fs::read_to_string(&path)?.replace("\"billing-hourly\"", "\"billing-own\"").replace("\"0.1.0\"", &format!("\"{version}\""));
    fs::write(path, manifest)?;
    Ok(directory)
}

fn slipway(server: &Server, arguments: &[&str], path: Option<&Path>) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(arguments).args(path).arg("--json").env("SLIPWAY_URL", server.url("")).env("SLIPWAY_TOKEN", server.token()?);
    Ok(command.output()?)
}

fn json(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The processes of plugins that this server started.
fn processes(server: &Server) -> Result<usize> {
    let children = fs::read_dir(format!("/proc/{}/task", server.pid()))?.filter_map(Result::ok);
    let pids: String = children.filter_map(|task| fs::read_to_string(task.path().join("children")).ok()).collect();
    let is_plugin = |pid: &&str| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"plugin-host\0"));
    Ok(pids.split_whitespace().filter(is_plugin).count())
}

fn none_within(server: &Server, limit: Duration) -> Result<bool> {
    let begin = Instant::now();
    while processes(server)? > 0 {
        if begin.elapsed() > limit {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

#[test]
fn a_plugin_of_ones_own_lives_by_the_command_line() -> Result<()> {
    let server = Server::start(&[])?;
    let (old, new) = (own_plugin("1.0.0")?, own_plugin("1.1.0")?);
    let refused = slipway(&server, &["plugin", "install"], Some(old.path()))?;
    assert_eq!(json(&refused)?["error"]["fix"], "if you agree: --grant native-code");
    let installed = json(&slipway(&server, &["plugin", "install", "--grant", "native-code"], Some(old.path()))?)?;
    assert_eq!(installed["plugin"]["status"], "DISABLED", "{installed:#}");
    assert!(none_within(&server, Duration::from_secs(5))?, "it has nothing to do yet");
    json(&slipway(&server, &["plugin", "enable", "billing-own"], None)?)?;
    let upgraded = json(&slipway(&server, &["plugin", "upgrade", "billing-own", "--grant", "native-code"], Some(new.path()))?)?;
    assert_eq!((&upgraded["plugin"]["version"], &upgraded["plugin"]["status"]), (&"1.1.0".into(), &"ENABLED".into()), "{upgraded:#}");
    assert_eq!(processes(&server)?, 1, "the new version runs, apart");
    let shown = json(&slipway(&server, &["plugin", "show", "billing-own"], None)?)?;
    assert_eq!((&shown["isolation"], &shown["form"]), (&"PROCESS".into(), &"NATIVE".into()), "{shown:#}");
    let listed = json(&slipway(&server, &["plugin", "list"], None)?)?;
    let shipped = listed.as_array().into_iter().flatten().find(|plugin| plugin["name"] == "billing-hourly");
    assert_eq!(shipped.map(|plugin| &plugin["isolation"]), Some(&"NONE".into()), "what came with the platform is known: {listed:#}");
    json(&slipway(&server, &["plugin", "disable", "billing-own"], None)?)?;
    json(&slipway(&server, &["plugin", "remove", "billing-own"], None)?)?;
    assert!(none_within(&server, Duration::from_secs(5))?, "nothing of it is left");
    let missing = json(&slipway(&server, &["plugin", "show", "billing-own"], None)?)?;
    assert_eq!(missing["error"]["code"], "NOT_FOUND");
    Ok(())
}
