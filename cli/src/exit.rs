//! How a command ends: 0 done, 1 the thing asked for failed, 2 the command line was wrong (clap's own).

use std::process::ExitCode;

/// A failure that is already a sentence for a person, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable, for scripts that read `--json`.
    pub code: String,
    pub message: String,
    pub fix: Option<String>,
}

impl Failure {
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), fix: None }
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// Says why on standard error (text) or standard output (`--json`).
pub fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    let failure = error.downcast_ref::<Failure>();
    if json {
        let (code, fix) = failure.map_or(("ERROR", None), |failure| (failure.code.as_str(), failure.fix.as_deref()));
        println!("{}", serde_json::json!({ "error": { "code": code, "message": format!("{error:#}"), "fix": fix } }));
    } else {
        eprintln!("error: {error:#}");
        if let Some(fix) = failure.and_then(|failure| failure.fix.as_deref()) {
            eprintln!("  try: {fix}");
        }
    }
    ExitCode::FAILURE
}
