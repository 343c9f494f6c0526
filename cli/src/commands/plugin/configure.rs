//! Settings of a plugin, from a file or from the command line.

use std::{io::Read as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Map, Value};

use crate::exit::Failure;

#[derive(Args)]
pub struct Settings {
    /// `NAME=VALUE`; a value that is JSON is taken as such, any other as text. `NAME=null` takes a secret away.
    settings: Vec<String>,
    /// Read settings from a JSON file, or from standard input with `-`: where a secret is in no shell's history.
    #[arg(long)]
    file: Option<PathBuf>,
}

impl Settings {
    /// All of them; the command line wins over the file.
    pub fn read(self) -> Result<Value> {
        let mut settings = match self.file {
            None => Map::new(),
            Some(path) => {
                let mut text = String::new();
                if path.as_os_str() == "-" {
                    std::io::stdin().read_to_string(&mut text)?;
                } else {
                    text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                }
                serde_json::from_str(&text).with_context(|| format!("{} is not a JSON object", path.display()))?
            }
        };
        for setting in self.settings {
            let (name, value) = setting
                .split_once('=')
                .ok_or_else(|| Failure::new("INVALID", "a setting is NAME=VALUE").fix("slipway plugin configure NAME port=80"))?;
            settings.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
        }
        Ok(Value::Object(settings))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_where_they_can_be() {
        let settings = ["port=80", "name=web", "empty=", "secret=null"].map(str::to_owned).to_vec();
        let read = Settings { settings, file: None }.read().unwrap();
        assert_eq!(read, json!({ "port": 80, "name": "web", "empty": "", "secret": null }));
        assert!(Settings { settings: vec!["port".into()], file: None }.read().is_err());
    }
}
