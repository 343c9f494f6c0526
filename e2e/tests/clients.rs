//! What clients that others wrote make of the API: the audits of GraphQL over HTTP, Apollo Client and urql, in Node.

#![allow(clippy::print_stdout, reason = "what each client was put through is told")]

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use slipway_e2e::{Clients, Platform, Server, fresh_copy, printed, workspace, write_app};
use tokio::io::{AsyncBufReadExt, BufReader};

const PACKAGE: &str = r#"{ "name": "app", "version": "1.0.0", "private": true, "scripts": { "start": "node server.js" } }"#;
/// A hundred lines a second, numbered from one.
const SERVER: &str = "require('http').createServer((_, r) => r.end('ok\\n')).listen(process.env.PORT, '0.0.0.0', () => {
  let n = 0;
  setInterval(() => console.log(`line ${++n}`), 10);
});
";
/// Enough to go on for a while after the second restart.
const LINES: u32 = 3_000;

#[test]
fn every_audit_of_graphql_over_http_passes() -> Result<()> {
    let clients = Clients::install()?;
    for options in [&[][..], &["--development"][..]] {
        let server = Server::start(options)?;
        let (url, token) = (server.url("/graphql"), server.token()?);
        for (who, token) in [("a stranger", ""), ("an administrator", &*token)] {
            let said = printed(&clients.run("audits.mjs", &[("URL", &url), ("TOKEN", token)])?);
            println!("slipway server {}, {who}: {said}", options.join(" "));
            assert_eq!(said.trim(), "61 of 61 audits pass");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn apollo_client_pages_changes_and_follows_a_log_over_two_restarts_of_the_server() -> Result<()> {
    over_restarts("apollo.mjs").await
}

#[tokio::test(flavor = "multi_thread")]
async fn urql_pages_changes_and_follows_a_log_over_two_restarts_of_the_server() -> Result<()> {
    over_restarts("urql.mjs").await
}

/// Runs a client that follows the log of an application, and kills and restarts the server below it, twice.
async fn over_restarts(program: &str) -> Result<()> {
    let clients = Clients::install()?;
    let mut platform = Platform::start().await?;
    let app = write_app(&[("package.json", PACKAGE), ("server.js", SERVER)])?;
    platform.deploy(app.path(), "shop").await?.expect_live();
    let application = platform.query("{ application(slug: \"shop\") { id } }", json!({})).await?;
    let application = application["application"]["id"].as_str().context("an id")?.to_owned();

    let (url, token, lines) = (platform.url("/graphql"), platform.token()?, LINES.to_string());
    let mut client = clients.start(program, &[("URL", &url), ("TOKEN", &token), ("APPLICATION", &application), ("LINES", &lines)])?;
    let mut output = BufReader::new(client.stdout.take().context("its output is piped")?).lines();
    let mut said = Vec::new();
    let mut restarts = 0;
    while let Some(line) = output.next_line().await? {
        let seen: Option<u32> = line.strip_prefix("seen ").and_then(|count| count.parse().ok());
        // It has begun; and once more when half of it has come.
        if seen.is_some_and(|seen| restarts == 0 || (restarts == 1 && seen >= LINES / 2)) {
            platform.kill()?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            platform.launch().await?;
            restarts += 1;
        }
        if seen.is_none() {
            println!("{program}: {line}");
            said.push(line);
        }
    }
    let ended = client.wait().await?;
    ensure!(ended.success(), "{program} ended with {ended}");
    assert_eq!(restarts, 2);
    let last = said.last().context("it said something")?;
    let connections: u32 = last.split(" over ").nth(1).and_then(|text| text.split(' ').next()?.parse().ok()).context(last.clone())?;
    assert!(last.contains("each once") && connections >= 3, "{last}");
    assert!(said.iter().any(|line| line.starts_with("refused: ")), "{said:?}");
    Ok(())
}

#[test]
fn typed_documents_are_made_from_the_schema_and_hold() -> Result<()> {
    let clients = Clients::install()?;
    let folder = fresh_copy(&workspace().join("e2e/clients/typed"))?;
    let mounts = [(folder.path(), "/clients/typed")];
    let made = clients.node(&[], &mounts, &["sh", "-c", "cd typed && npx graphql-codegen --config codegen.ts && npx tsc --project ."])?;
    let _ = printed(&{ made }.output()?);
    let types = std::fs::read_to_string(folder.path().join("gql/graphql.ts"))?;
    assert!(types.contains("export type PlansQuery"), "{types}");

    let server = Server::start(&[])?;
    let url = server.url("/graphql");
    let said = printed(&clients.node(&[("URL", &url)], &mounts, &["node", "typed/plans.ts"])?.output()?);
    println!("{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    Ok(())
}

#[test]
fn every_document_of_the_command_line_is_valid() -> Result<()> {
    let clients = Clients::install()?;
    let source = workspace().join("cli/src");
    let said = printed(&clients.node(&[], &[(&source, "/clients/cli:ro")], &["node", "programs/cli.mjs"])?.output()?);
    println!("{said}");
    let documents: u32 = said.split(' ').next().and_then(|count| count.parse().ok()).context(said.clone())?;
    assert!(documents >= 30, "{said}");
    Ok(())
}

#[test]
fn graphiql_consists_of_what_its_authors_published() -> Result<()> {
    let clients = Clients::install()?;
    let server = Server::start(&["--development"])?;
    let said = printed(&clients.run("graphiql.mjs", &[("URL", &server.url("/graphql"))])?);
    println!("{said}");
    assert_eq!(said.trim(), "4 files as the page says");
    Ok(())
}
