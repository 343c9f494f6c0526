//! How the customer said that the application starts, which goes before anything a buildpack finds.

use crate::{Context, Source, procfile};

/// A start command in the customer's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedStart {
    /// For a shell.
    pub command: String,
    /// The file that states it; `None`: the application's settings.
    pub file: Option<&'static str>,
}

/// Whether the Procfile names processes other than `web`, so that an application without one still does something.
#[must_use]
pub fn has_other_processes(source: &Source) -> bool {
    source.peek("Procfile").is_some_and(|text| procfile::parse(&text).iter().any(|line| !matches!(line.name.as_str(), "web" | "release")))
}

/// The settings' start command, else the Procfile's `web` line.
///
/// ```
/// use slipway_buildpack_sdk::{Context, Source, stated_start};
///
/// let tree = tempfile::tempdir().unwrap();
/// std::fs::write(tree.path().join("Procfile"), "web: bin/serve --port $PORT\n").unwrap();
/// let source = Source::open(tree.path(), ".").unwrap();
///
/// let start = stated_start(&source, &Context::default()).unwrap();
/// assert_eq!((start.command.as_str(), start.file), ("bin/serve --port $PORT", Some("Procfile")));
///
/// let settings = Context { start_command: Some("bin/other".into()), ..Context::default() };
/// assert_eq!(stated_start(&source, &settings).unwrap().command, "bin/other");
/// ```
#[must_use]
pub fn stated_start(source: &Source, context: &Context) -> Option<StatedStart> {
    if let Some(command) = context.start_command.as_deref().map(str::trim).filter(|command| !command.is_empty()) {
        return Some(StatedStart { command: command.to_owned(), file: None });
    }
    let command = procfile::web(&source.peek("Procfile")?)?;
    Some(StatedStart { command, file: Some("Procfile") })
}
