use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use slipway_model::Secret;
use url::Url;

use crate::client::Client;
use crate::credentials::{self, Credentials};
use crate::exit::Failure;
use crate::{Global, output};

#[derive(Args)]
pub struct Login {
    /// Address of the control plane, such as http://127.0.0.1:7766
    address: Url,
}

impl Login {
    /// Reads the token from SLIPWAY_TOKEN or standard input, never from an argument that others could see in a process list.
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let token = match &global.token {
            Some(token) => Secret::new(token.trim()),
            None => {
                if std::io::stdin().is_terminal() {
                    eprintln!("Paste an API token, then Ctrl-D:");
                }
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                Secret::new(text.trim())
            }
        };
        if token.expose().is_empty() {
            return Err(Failure::new("REQUIRED", "no token was given").fix("slipway login URL < admin.token").into());
        }
        let attempt = Global { json: global.json, url: Some(self.address.clone()), token: Some(token.expose().to_owned()) };
        let data = Client::new(&attempt)?.run("{ viewer { email } }", json!({})).await?;
        let email = output::text(&data, "/viewer/email");
        let path = credentials::store(Credentials { url: self.address.clone(), token })?;
        if global.json {
            output::json(&json!({ "url": self.address, "email": email, "stored": path }))?;
        } else {
            println!("Logged in to {} as {email} ({})", self.address, path.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
