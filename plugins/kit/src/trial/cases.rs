//! The author's own questions with the answers that are expected: files of JSON, which say the same in every language.
//!
//! ```json
//! { "settings": {}, "ask": { "resolve": { "tool": "elm", "constraint": "1" } }, "answer": { "resolve": { "version": "1.2.0" } } }
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use similar::TextDiff;
use slipway_plugin_host::{CallError, messages::PluginError};

use super::{
    Fault, Tried, Verdict,
    asking::{self, Answer, Expect, fault, hangs, in_brief},
    report::Seen,
};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Without them, the plugin has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<Value>,
    ask: Value,
    #[serde(flatten)]
    expected: Option<Expected>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Answer(Value),
    Refusal(PluginError),
}

/// One file of them.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub name: String,
    path: PathBuf,
    document: Document,
}

impl Case {
    pub fn settings(&self) -> Option<&Value> {
        self.document.settings.as_ref()
    }
}

/// Why the cases cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub(super) struct CaseError {
    path: PathBuf,
    problem: String,
}

/// Those in a directory, by name.
pub(super) fn read_all(directory: &Path) -> Result<Vec<Case>, CaseError> {
    let failed = |path: &Path, problem: String| CaseError { path: path.to_owned(), problem };
    let entries = fs::read_dir(directory).map_err(|error| failed(directory, error.to_string()))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(directory, error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, error.to_string()))?;
        let document: Document = serde_json::from_str(&text).map_err(|error| failed(&path, error.to_string()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Case { name, path, document })
    };
    paths.into_iter().map(read).collect()
}

pub(super) async fn check(tried: &Tried, case: &Case, update: bool) -> Verdict {
    let settings = case.document.settings.clone().unwrap_or_else(|| tried.begun_with.clone());
    let configured = tried.plugin.configure(settings).await;
    tried.plugin.release();
    if let Err(error) = configured {
        return Err(Fault::new(format!("its settings are refused: {error}"), Vec::new()));
    }
    let asked = asking::ask(tried, &case.document.ask).await;
    let _ = tried.plugin.configure(tried.begun_with.clone()).await;
    let (message, answer) = asked?;
    if let Some(problem) = fault(&message, &answer, Expect::Either) {
        return Err(Fault { message: problem, details: Vec::new(), hangs: hangs(&answer) });
    }
    let got = document(&answer);
    if got == case.document.expected {
        return Ok(in_brief(&answer).into());
    }
    if update {
        let document = Document { expected: got, ..case.document.clone() };
        let written = serde_json::to_string_pretty(&document).map(|text| fs::write(&case.path, text + "\n"));
        return match written {
            Ok(Ok(())) => Ok(Seen::WrittenAnew(format!("now {}", in_brief(&answer)))),
            Ok(Err(error)) => Err(Fault::new(format!("{} could not be written: {error}", case.path.display()), Vec::new())),
            Err(error) => Err(Fault::new(error.to_string(), Vec::new())),
        };
    }
    let (expected, got) = (shown(&case.document.expected), shown(&got));
    let diff = TextDiff::from_lines(&expected, &got);
    let lines = diff.unified_diff().context_radius(3).header("expected", "got").to_string();
    let mut details: Vec<String> = lines.lines().map(str::to_owned).collect();
    details.push("`--update` makes it what is expected".into());
    Err(Fault::new("it answers something else", details))
}

/// What a case says of an answer.
fn document(answer: &Answer) -> Option<Expected> {
    match answer {
        // Tagged by the kind of plugin and then by question; the kind goes without saying.
        Ok(reply) => serde_json::to_value(reply).ok().map(|mut reply| Expected::Answer(reply["answer"].take())),
        Err(CallError::Refused(error)) => Some(Expected::Refusal(error.clone())),
        Err(_) => None,
    }
}

fn shown(expected: &Option<Expected>) -> String {
    let text = expected.as_ref().and_then(|expected| serde_json::to_string_pretty(expected).ok());
    text.unwrap_or_else(|| "nothing".into()) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_says_what_is_asked_and_what_is_expected() {
        let case: Document = serde_json::from_str(r#"{ "ask": "describe" }"#).unwrap();
        assert_eq!(case.expected, None);
        let case: Document = serde_json::from_str(r#"{ "ask": {}, "refusal": { "code": "NO", "message": "No." } }"#).unwrap();
        assert!(matches!(case.expected, Some(Expected::Refusal(_))));
        let text = serde_json::to_string(&case).unwrap();
        assert_eq!(text, r#"{"ask":{},"refusal":{"code":"NO","message":"No.","fix":null}}"#);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("broken.json"), "{").unwrap();
        fs::write(directory.path().join("README"), "not a case").unwrap();
        assert!(read_all(directory.path()).unwrap_err().to_string().contains("broken.json"));
        fs::write(directory.path().join("broken.json"), r#"{ "ask": "describe" }"#).unwrap();
        assert_eq!(read_all(directory.path()).unwrap()[0].name, "broken");
    }
}
