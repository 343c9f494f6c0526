//! `docs/plugins/`: every command of the guides is run, in order, in an empty folder, by somebody who has nothing but the binary, a
//! compiler, and a platform.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use slipway_e2e::{Server, binary, workspace};

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

fn follow(guide: &str) -> Result<usize> {
    let page = std::fs::read_to_string(workspace().join("docs/plugins").join(guide)).with_context(|| guide.to_owned())?;
    let server = Server::start(&[])?;
    let place = tempfile::tempdir()?;
    let tools = binary()?.parent().context("a binary lies in a folder")?.to_owned();
    let search = env::join_paths([tools].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())))?;
    let commands = commands(&page);
    for (line, script) in &commands {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", script]).current_dir(place.path());
        shell.env("PATH", &search).env("SLIPWAY_URL", server.url("")).env("SLIPWAY_TOKEN", server.token()?);
        // The guide's `target` lies in the project, as cargo has it; what is compiled of others is shared there by a link.
        shell.env_remove("CARGO_TARGET_DIR").env("CARGO_HOME", cargo_home());
        let output = shell.output()?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        ensure!(output.status.success(), "docs/plugins/{guide}, line {line}:\n{script}\nended with {}:\n{said}", output.status);
    }
    Ok(commands.len())
}

fn cargo_home() -> PathBuf {
    env::var_os("CARGO_HOME").map_or_else(|| Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cargo"), PathBuf::from)
}

#[test]
fn the_guide_to_runtimes_works_as_it_is_written() -> Result<()> {
    assert!(follow("runtime.md")? >= 6);
    Ok(())
}

#[test]
fn the_guide_to_billing_works_as_it_is_written() -> Result<()> {
    assert!(follow("billing.md")? >= 4);
    Ok(())
}

#[test]
fn the_guide_to_ingresses_works_as_it_is_written() -> Result<()> {
    assert!(follow("ingress.md")? >= 5);
    Ok(())
}
