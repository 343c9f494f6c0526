//! A bare machine becomes a node by one command; what was changed on its way is not run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use axum::{Router, body::Bytes, extract, routing::get};
use serde_json::{Value, json};
use slipway_e2e::Platform;

async fn invite(platform: &Platform) -> Result<Value> {
    let region = platform.query("{ region(slug: \"local\") { id } }", json!({})).await?["region"]["id"].clone();
    let document = "mutation($region: ID!) { nodeEnrollmentTokenCreate(input: {regionId: $region}) { install { token script } } }";
    Ok(platform.query(document, json!({"region": region})).await?["nodeEnrollmentTokenCreate"]["install"].clone())
}

async fn nodes(platform: &Platform) -> Result<usize> {
    let data = platform.query("{ workerNodes(first: 10) { nodes { id } } }", json!({})).await?;
    Ok(data["workerNodes"]["nodes"].as_array().context("nodes")?.len())
}

async fn script(platform: &Platform) -> Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    Ok(client.get(platform.url("/install.sh")).send().await?.error_for_status()?.text().await?)
}

fn run(folder: &Path, script: &str, arguments: &[&str]) -> Result<Output> {
    fs::write(folder.join("install.sh"), script)?;
    let root = folder.join("root");
    let mut command = Command::new("sh");
    command.arg(folder.join("install.sh")).arg("--root").arg(&root).args(arguments).env("no_proxy", "*");
    Ok(command.output()?)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Serves the platform's programs with one byte of one of them flipped.
async fn tampering(platform: &Platform, tampered: &'static str) -> Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let source = platform.url("/download");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serve = move |extract::Path(name): extract::Path<String>| {
        let (client, source) = (client.clone(), source.clone());
        async move {
            let fetched = client.get(format!("{source}/{name}")).send().await.expect("the platform answers");
            let mut bytes = fetched.bytes().await.expect("all of it").to_vec();
            if name == tampered {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            Bytes::from(bytes)
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/download/{name}", get(serve))).await });
    Ok(format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_joins_by_the_script_and_a_flipped_byte_stops_it() -> Result<()> {
    let platform = Platform::start().await?;
    let script = script(&platform).await?;
    let invitation = invite(&platform).await?;
    let token = invitation["token"].as_str().context("a token")?;
    let digest = slipway_model::Sha256Digest::of(script.as_bytes()).to_string();
    let told = invitation["script"].as_str().context("what to run")?;
    assert!(told.contains(&digest) && told.contains(&platform.url("/install.sh")), "{told}");
    assert_eq!(nodes(&platform).await?, 1);

    for tampered in ["slipway", "traefik"] {
        let folder = tempfile::tempdir()?;
        let elsewhere = script.replace(platform.url("").trim_end_matches('/'), &tampering(&platform, tampered).await?);
        let output = run(folder.path(), &elsewhere, &["--token", token])?;
        assert!(!output.status.success() && text(&output).contains("is not what the platform says it is"), "{}", text(&output));
        let installed = folder.path().join("root/usr/local/lib/slipway");
        assert_eq!(
            fs::read_dir(&installed)?.filter_map(Result::ok).filter(|file| file.file_name() != "slipway.new").count(),
            0,
            "{tampered}"
        );
        assert_eq!(nodes(&platform).await?, 1, "nothing of it was run");
    }

    // One that was cut off on its way does nothing.
    let folder = tempfile::tempdir()?;
    let output = run(folder.path(), &script[..script.len() - 20], &["--token", token])?;
    assert!(!folder.path().join("root").exists(), "{}", text(&output));

    let folder = tempfile::tempdir()?;
    let output = run(folder.path(), &script, &["--token", token, "--name", "second"])?;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(nodes(&platform).await?, 2);
    let root = folder.path().join("root");
    let binary = root.join("usr/local/lib/slipway/slipway");
    assert_eq!(fs::metadata(&binary)?.permissions().mode() & 0o777, 0o755);
    let version = Command::new(root.join("usr/local/bin/slipway")).arg("--version").output()?;
    assert!(version.status.success(), "{}", text(&version));
    let service = fs::read_to_string(root.join("etc/systemd/system/slipway-agent.service"))?;
    assert!(service.contains("ExecStart=/usr/local/lib/slipway/slipway agent run --core https://"), "{service}");
    assert!(!text(&output).contains(token) && !service.contains(token), "the token is told to nobody");

    // Once more: it keeps its identity, and the spent token is not needed.
    let again = run(folder.path(), &script, &[])?;
    assert!(again.status.success() && text(&again).contains("joined already"), "{}", text(&again));
    let fresh = tempfile::tempdir()?;
    let spent = run(fresh.path(), &script, &["--token", token])?;
    assert!(!spent.status.success() && text(&spent).contains("could not join"), "{}", text(&spent));
    assert_eq!(nodes(&platform).await?, 2);
    Ok(())
}
