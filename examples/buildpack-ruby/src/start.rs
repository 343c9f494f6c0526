//! What is started: the customer's own words, else what Rack serves, else the program itself.

use slipway_buildpack_sdk::{Command, Context, Source, argv, shell, stated_start};

use crate::gemfile::Gems;

const RACKUP: &str = "config.ru";
const PROGRAMS: [&str; 5] = ["app.rb", "main.rb", "server.rb", "web.rb", "application.rb"];
/// Puma's own settings, where the application has none.
pub const PUMA_SETTINGS: &str = "/etc/slipway-puma.rb";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    Stated(String),
    /// By Puma, with settings of the application's own or without.
    Puma {
        own_settings: bool,
    },
    /// By whatever server Rack finds.
    Rackup,
    /// A program that serves by itself.
    Program {
        file: &'static str,
        by_bundler: bool,
    },
}

impl Start {
    pub fn command(&self) -> Command {
        match self {
            Self::Stated(command) => shell(command.clone()),
            Self::Puma { own_settings: true } => argv(["bundle", "exec", "puma"]),
            Self::Puma { own_settings: false } => argv(["bundle", "exec", "puma", "--config", PUMA_SETTINGS]),
            Self::Rackup => shell("exec bundle exec rackup --host 0.0.0.0 --port \"$PORT\""),
            Self::Program { file, by_bundler: true } => argv(["bundle", "exec", "ruby", file]),
            Self::Program { file, by_bundler: false } => argv(["ruby", file]),
        }
    }

    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Stated(_) => None,
            Self::Puma { .. } | Self::Rackup => Some(RACKUP),
            Self::Program { file, .. } => Some(file),
        }
    }
}

pub fn find(source: &Source, context: &Context, gems: Option<&Gems>) -> Option<Start> {
    if let Some(stated) = stated_start(source, context) {
        return Some(Start::Stated(stated.command));
    }
    let has = |name: &str| gems.is_some_and(|gems| gems.has(name));
    if source.is_file(RACKUP) && has("puma") {
        return Some(Start::Puma { own_settings: source.is_file("config/puma.rb") });
    }
    if source.is_file(RACKUP) && gems.is_some() {
        return Some(Start::Rackup);
    }
    let serves =
        |file: &&&str| source.peek(file).is_some_and(|text| has("sinatra") && requires(&text, "sinatra") || requires(&text, "socket"));
    PROGRAMS.iter().find(serves).map(|file| Start::Program { file, by_bundler: gems.is_some() })
}

fn requires(text: &str, library: &str) -> bool {
    text.lines().any(|line| {
        let named = line.trim().strip_prefix("require ").map(|rest| rest.trim().trim_matches(['"', '\'']));
        named == Some(library)
    })
}
