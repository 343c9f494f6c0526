//! What `slipway plan --format json` prints beside the plan: the answer in the words that people and tools compare.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slipway_buildpack_wit::{Command, Lock, Plan, Refusal};

use crate::PlanFailure;

/// What the plan's tools resolved to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedTools {
    pub lock: Lock,
    /// By tool, sentences for people, such as that a version gets no security fixes any more.
    pub notices: BTreeMap<String, Vec<String>>,
}

/// A plan, with its id and a summary.
#[must_use]
pub fn report(plan: &Plan) -> Value {
    report_with_tools(plan, &ResolvedTools::default())
}

/// The same with the exact versions that the plan's tools resolve to.
#[must_use]
pub fn report_with_tools(plan: &Plan, resolved: &ResolvedTools) -> Value {
    let tools: Vec<_> = plan
        .fragment
        .tools
        .iter()
        .map(|tool| {
            let locked = resolved.lock.get(&tool.name);
            json!({
                "name": tool.name,
                "constraint": tool.constraint,
                "version": locked.map(|locked| &locked.version),
                "image": locked.map(|locked| &locked.run_image),
                "source": tool.source,
                "isDefault": tool.is_default,
                "notices": resolved.notices.get(&tool.name).map_or(&[][..], Vec::as_slice),
            })
        })
        .collect();
    json!({
        "outcome": "plan",
        "id": plan.id(),
        "summary": {
            "language": language(plan),
            "packageManager": package_manager(plan),
            "packageManagers": package_managers(plan),
            "framework": framework(plan),
            "tools": tools,
            "serve": serve(plan),
        },
        "plan": plan,
    })
}

/// The same for a plan whose tools do not exist as it wants them: what is known of the application, and the refusal.
#[must_use]
pub fn report_unresolved(plan: &Plan, refusal: &Refusal) -> Value {
    let mut report = report(plan);
    report["outcome"] = json!("refusal");
    report["refusal"] = json!(refusal);
    report
}

/// The same for a plan that could not be made.
#[must_use]
pub fn report_failure(failure: &PlanFailure) -> Value {
    match failure {
        PlanFailure::Refused(refusal) => json!({ "outcome": "refusal", "refusal": refusal }),
        PlanFailure::NoMatch { looked_for } => json!({ "outcome": "none", "lookedFor": looked_for }),
        PlanFailure::Host { buildpack, .. } => {
            json!({ "outcome": "error", "error": { "buildpack": buildpack, "message": failure.to_string() } })
        }
        PlanFailure::InvalidPlan { buildpack, violations } => {
            json!({ "outcome": "error", "error": { "buildpack": buildpack, "message": failure.to_string(), "violations": violations } })
        }
    }
}

fn language(plan: &Plan) -> &str {
    match (&plan.fragment.dockerfile, plan.detection.framework.as_deref()) {
        (Some(_), _) => "dockerfile",
        (None, Some("static")) => "static",
        (None, _) => &plan.buildpack,
    }
}

/// Of those who install, in the application's language first.
fn package_managers(plan: &Plan) -> Vec<&str> {
    let beside = plan.beside.iter().map(|beside| beside.package_manager.as_deref());
    let mut names: Vec<&str> = Vec::new();
    for name in std::iter::once(plan.detection.package_manager.as_deref()).chain(beside).flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The one that somebody chose. Composer is named where it is alone: PHP knows no other, so that an application which also has
/// npm, Yarn, pnpm or Bun is told apart by that.
fn package_manager(plan: &Plan) -> Option<&str> {
    let names = package_managers(plan);
    names.iter().copied().find(|name| *name != "composer").or_else(|| names.first().copied())
}

/// Of the application; beside a Dockerfile, what the source is written with.
fn framework(plan: &Plan) -> Option<&str> {
    let beside = || plan.fragment.dockerfile.as_ref().and_then(|_| plan.beside.first()?.framework.as_deref());
    plan.detection.framework.as_deref().or_else(beside)
}

fn serve(plan: &Plan) -> Option<Value> {
    if let Some(site) = &plan.fragment.static_site {
        return Some(json!({ "kind": "static", "dir": site.dir, "spaFallback": site.spa_fallback }));
    }
    let process = plan.fragment.processes.iter().find(|process| process.is_default)?;
    Some(json!({ "kind": "process", "command": as_text(&process.command) }))
}

/// A command for people to read; nothing runs this text.
fn as_text(command: &Command) -> String {
    match command {
        Command::Shell(line) => line.clone(),
        Command::Argv(words) => words
            .iter()
            .map(|word| if word.is_empty() || word.contains(char::is_whitespace) { format!("'{word}'") } else { word.clone() })
            .collect::<Vec<_>>()
            .join(" "),
    }
}
