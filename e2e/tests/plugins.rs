//! What plugins bring is offered while they are enabled, and a bad one harms nobody.

use std::fs;

use anyhow::Result;
use slipway_e2e::{Platform, fresh_copy, visit, write_app};

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
    assert!(!refused.status.success() && said.contains("in use by shop"), "its users are named: {said}");
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
