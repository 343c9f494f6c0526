//! One answer of a buildpack: as a document that can be kept and compared, and what is wrong with it whatever was expected.

use std::path::Path;

use serde_json::{Value, json};
use similar::TextDiff;
use slipway_buildpack_host::{
    Buildpack, HostError, PlanFailure, PlanRequest,
    contract::{Context, Lock, LockedTool, Plan, Refusal},
    lowering::{Listing, LowerOptions, lower},
    plan_directory,
};

/// Lines of a buildpack's own output that are shown.
const OUTPUT_LINES: usize = 12;

pub type Answer = Result<Plan, PlanFailure>;

/// As an agent would ask it.
pub async fn ask(buildpack: &Buildpack, tree: &Path, context: &Context) -> Answer {
    let request = PlanRequest { context: context.clone(), runtime: None };
    plan_directory(std::slice::from_ref(buildpack), tree, &request).await
}

/// What a fixture's `expected.json` holds.
pub fn document(answer: &Answer) -> Value {
    match answer {
        Ok(plan) => json!({ "outcome": "plan", "plan": plan }),
        Err(PlanFailure::Refused(refusal)) => json!({ "outcome": "refusal", "refusal": refusal }),
        Err(PlanFailure::NoMatch { looked_for }) => {
            let reasons: Vec<_> = looked_for.iter().flat_map(|one| &one.reasons).collect();
            json!({ "outcome": "none", "reasons": reasons })
        }
        Err(failure) => json!({ "outcome": "error", "message": failure.to_string() }),
    }
}

/// In a few words.
pub fn in_brief(answer: &Answer) -> String {
    match answer {
        Ok(plan) => format!("plan {}", &plan.id()[..12]),
        Err(PlanFailure::Refused(refusal)) => format!("refused with {}", refusal.code),
        Err(PlanFailure::NoMatch { .. }) => "not recognised".into(),
        Err(failure) => failure.to_string(),
    }
}

/// What no answer may be, however odd the tree: nothing at all, a plan that breaks the rules or cannot become a Dockerfile, a
/// refusal that helps nobody. The first line says it, the others show it.
pub fn fault(answer: &Answer, tree: &Path) -> Option<Vec<String>> {
    match answer {
        Ok(plan) => of_plan(plan, tree),
        Err(PlanFailure::Refused(refusal)) => of_refusal(refusal),
        Err(PlanFailure::NoMatch { .. }) => None,
        Err(PlanFailure::InvalidPlan { violations, .. }) => {
            let rules = violations.iter().map(|violation| format!("{}: {}", violation.field, violation.problem));
            Some(std::iter::once("the plan breaks the rules".to_owned()).chain(rules).collect())
        }
        Err(PlanFailure::Host { error, .. }) => {
            let output = match error {
                HostError::Trap { output, .. } | HostError::Timeout { output, .. } | HostError::Memory { output, .. } => output.as_str(),
                _ => "",
            };
            Some(std::iter::once(error.to_string()).chain(output.lines().take(OUTPUT_LINES).map(str::to_owned)).collect())
        }
    }
}

fn of_plan(plan: &Plan, tree: &Path) -> Option<Vec<String>> {
    if plan.detection.score > 100 {
        return Some(vec![format!("the score is {}, of at most 100", plan.detection.score)]);
    }
    if plan.detection.reasons.is_empty() {
        return Some(vec!["the tree is recognised without a reason that people could read".into()]);
    }
    let wrong = plan.fragment.diagnostics.iter().find(|diagnostic| !is_code(&diagnostic.code) || diagnostic.message.trim().is_empty());
    if let Some(diagnostic) = wrong {
        return Some(vec![format!("the diagnostic `{}` needs an id such as `MY_LANG_NO_START`, and a message", diagnostic.code)]);
    }
    // What the tools resolve to does not matter here.
    let locked = |constraint: &str| LockedTool {
        constraint: constraint.to_owned(),
        version: "1".into(),
        build_image: "tool:1".into(),
        run_image: "tool:1".into(),
    };
    let lock: Lock = plan.fragment.tools.iter().map(|tool| (tool.name.clone(), locked(&tool.constraint))).collect();
    let secrets = plan.fragment.steps.iter().flat_map(|step| step.secrets.clone()).collect();
    let listing = match Listing::read(tree, &plan.detection.app_root) {
        Ok(listing) => listing,
        Err(error) => return Some(vec![format!("the source of the plan cannot be listed: {error}")]),
    };
    let lowered = lower(plan, &lock, &listing, &LowerOptions { secrets, ..LowerOptions::default() });
    lowered.err().map(|error| vec![format!("the plan cannot become a Dockerfile: {error}")])
}

fn of_refusal(refusal: &Refusal) -> Option<Vec<String>> {
    let Refusal { code, message, fix, .. } = refusal;
    if !is_code(code) {
        return Some(vec![format!("the refusal's id `{code}` is not one, such as `MY_LANG_MANIFEST_INVALID`")]);
    }
    if message.trim().is_empty() || fix.trim().is_empty() {
        return Some(vec![format!("the refusal {code} has to say what is wrong and what to do")]);
    }
    None
}

/// `[A-Z][A-Z0-9_]*`
fn is_code(text: &str) -> bool {
    text.len() <= 80
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// How two documents differ, as lines of a unified diff.
pub fn difference(expected: &Value, expected_name: &str, got: &Value, got_name: &str) -> Vec<String> {
    let text = |value: &Value| format!("{value:#}\n");
    let (expected, got) = (text(expected), text(got));
    let diff = TextDiff::from_lines(&expected, &got);
    diff.unified_diff().context_radius(3).header(expected_name, got_name).to_string().lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use slipway_buildpack_host::PlanViolation;

    use super::*;

    fn refusal(code: &str, fix: &str) -> Answer {
        let (file, line) = (None, None);
        Err(PlanFailure::Refused(Refusal { code: code.into(), message: "It is broken.".into(), file, line, fix: fix.into() }))
    }

    #[test]
    fn a_refusal_helps_or_is_a_fault() {
        let fault = |answer: &Answer| fault(answer, Path::new("."));
        assert_eq!(fault(&refusal("ELM_BROKEN", "Mend it.")), None);
        assert!(fault(&refusal("elm broken", "Mend it.")).is_some());
        assert!(fault(&refusal("ELM_BROKEN", " ")).is_some());
    }

    #[test]
    fn what_a_buildpack_printed_is_shown_and_so_is_every_rule() {
        let trap = HostError::Trap { message: "unreachable".into(), output: "panicked\nat lib.rs:3\n".into() };
        let answer = Err(PlanFailure::Host { buildpack: "elm".into(), error: trap });
        assert_eq!(fault(&answer, Path::new(".")).unwrap()[1..], ["panicked", "at lib.rs:3"]);
        let violation = |field: &str| PlanViolation { field: field.into(), problem: "not a name".into() };
        let answer = Err(PlanFailure::InvalidPlan { buildpack: "elm".into(), violations: vec![violation("a"), violation("b")] });
        assert_eq!(fault(&answer, Path::new(".")).unwrap(), ["the plan breaks the rules", "a: not a name", "b: not a name"]);
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let lines = difference(&json!({ "a": 1, "b": 2 }), "expected.json", &json!({ "a": 1, "b": 3 }), "got");
        assert_eq!(lines[..2], ["--- expected.json", "+++ got"]);
        assert!(lines.contains(&"-  \"b\": 2".to_owned()) && lines.contains(&"+  \"b\": 3".to_owned()), "{lines:?}");
    }
}
