//! The report of a trial, for either kit.

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use slipway_trial::{Report, Status, Theme};

use crate::{Global, output};

/// Prints it, and ends with failure if anything failed.
pub fn show<Subject, About>(report: &Report<Subject, About>, global: &Global) -> Result<ExitCode>
where
    Subject: Display + Serialize,
    About: Theme + Serialize,
{
    if global.json {
        let [passed, failed, updated] = [Status::Passed, Status::Failed, Status::Updated].map(|status| report.count(status));
        output::json(&json!({ "report": report, "passed": passed, "failed": failed, "updated": updated }))?;
    } else {
        println!("{report}");
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
