//! `docs/plugins/`: every command of the guides is run, in order, in an empty folder, by somebody who has nothing but the binary, a
//! compiler, and a platform: at a bare Debian of their own.

use anyhow::{Context as _, Result};
use slipway_e2e::{Author, Platform, Server, base_image, workspace};

/// The shell blocks of a page, each with the line that it begins on.
fn commands(page: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(page.lines()) {
        match line {
            "```sh" => {
                open = true;
                found.push((number, String::new()));
            }
            "```" => open = false,
            _ if open => {
                if let Some((_, text)) = found.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
            _ => {}
        }
    }
    found
}

/// How many blocks of commands the guide has, all of which went well.
fn follow(guide: &str, author: &Author) -> Result<usize> {
    let page = std::fs::read_to_string(workspace().join("docs/plugins").join(guide)).with_context(|| guide.to_owned())?;
    let commands = commands(&page);
    for (line, script) in &commands {
        author.does(script).with_context(|| format!("docs/plugins/{guide}, line {line}"))?;
    }
    Ok(commands.len())
}

/// From an empty folder to an application in a language of the author's own, at its address.
#[tokio::test(flavor = "multi_thread")]
async fn the_guide_to_runtimes_works_as_it_is_written() -> Result<()> {
    base_image("busybox:1.37")?;
    let platform = Platform::start().await?;
    let author = Author::of(&platform.url(""), &platform.token()?)?;
    assert!(follow("runtime.md", &author)? >= 9);
    Ok(())
}

#[test]
fn the_guide_to_billing_works_as_it_is_written() -> Result<()> {
    let server = Server::start(&[])?;
    assert!(follow("billing.md", &Author::of(&server.url(""), &server.token()?)?)? >= 4);
    Ok(())
}

#[test]
fn the_guide_to_ingresses_works_as_it_is_written() -> Result<()> {
    let server = Server::start(&[])?;
    assert!(follow("ingress.md", &Author::of(&server.url(""), &server.token()?)?)? >= 5);
    Ok(())
}

/// What a machine lacks is named, where the compiler's own words do not help.
#[test]
fn a_machine_that_cannot_build_is_told_what_it_lacks() -> Result<()> {
    let server = Server::start(&[])?;
    let author = Author::of(&server.url(""), &server.token()?)?;
    author.does("slipway plugin new billing free")?;
    let said = author
        .does("mkdir bin && ln -s /opt/rust/bin/* /usr/bin/env bin/ && ! PATH=/opt/slipway:$PWD/bin slipway plugin test billing-free")?;
    assert!(said.contains("apt-get install gcc"), "{said}");
    let old = "printf '#!/bin/bash\\necho cargo 1.65.0; [ $1 = --version ]' > bin/old && chmod +x bin/old";
    let said = author.does(&format!("{old} && ! CARGO=$PWD/bin/old slipway plugin test billing-free"))?;
    assert!(said.contains("or later is needed, and this is 1.65.0"), "{said}");
    Ok(())
}
