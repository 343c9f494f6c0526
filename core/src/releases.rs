//! Releases: what of a build and of the application's settings is frozen, and how an instance gets it back.

use std::collections::BTreeMap;

use anyhow::Context;
use slipway_buildpack_wit::{Command, Plan, Probe, Process, ProcessKind};
use slipway_model::{EnvKey, HealthCheck, OrganizationId, ReleaseId, Secret};
use slipway_store::{Location, applications::Application, releases::Release};

use crate::Platform;

/// Releases of an application whose images are kept (R7, rollback).
pub const KEPT: i64 = 5;
/// Where neither the plan, the image nor the customer names one.
const USUAL_PORT: u16 = 8080;
/// The variable that tells a process its port, unless the plan names another.
const PORT_VARIABLE: &str = "PORT";

fn location(id: ReleaseId, organization: OrganizationId) -> Location<'static> {
    Location::new("releases", "variables_ciphertext", id, Some(organization))
}

/// Seals the frozen variables of a release.
pub(crate) fn seal(
    p: &Platform,
    id: ReleaseId,
    organization: OrganizationId,
    values: &BTreeMap<EnvKey, Secret>,
) -> anyhow::Result<Vec<u8>> {
    let plain: BTreeMap<&str, &str> = values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    let text = Secret::new(serde_json::to_string(&plain)?);
    Ok(p.keys.seal(location(id, organization), &text))
}

/// The frozen variables of a release.
pub(crate) fn environment(p: &Platform, release: &Release) -> anyhow::Result<BTreeMap<EnvKey, Secret>> {
    let text = p.keys.open(location(release.id, release.organization_id), &release.variables_ciphertext)?;
    serde_json::from_str(text.expose()).context("the frozen variables of a release")
}

pub(crate) fn processes(release: &Release) -> anyhow::Result<Vec<Process>> {
    serde_json::from_value(release.processes.clone()).context("the processes of a release")
}

/// `None`: the image's own command.
pub(crate) fn argv(command: &Command) -> Option<Vec<String>> {
    match command {
        Command::Argv(words) if words.is_empty() => None,
        Command::Argv(words) => Some(words.clone()),
        // The customer's own line, in the customer's own container.
        Command::Shell(line) => Some(vec!["/bin/sh".into(), "-c".into(), line.clone()]),
    }
}

/// Those that run as long as the release does. A cron process is recorded with the release and not run.
pub(crate) fn runs(process: &Process) -> bool {
    matches!(process.kind, ProcessKind::Web | ProcessKind::Worker)
}

pub(crate) fn release_process(processes: &[Process]) -> Option<&Process> {
    processes.iter().find(|process| process.kind == ProcessKind::Release)
}

/// The processes of a release, each with what it is told of its port. Without a plan it is a ready image: its own command, which
/// serves.
pub(crate) fn processes_of(plan: Option<Plan>, port: Option<u16>) -> Vec<Process> {
    let Some(plan) = plan else {
        return vec![Process { name: "web".into(), kind: ProcessKind::Web, command: Command::Argv(vec![]), env: vec![], is_default: true }];
    };
    let named = plan.fragment.ports.first().map(|port| port.env.clone()).filter(|name| !name.is_empty() && name != PORT_VARIABLE);
    let mut processes = plan.fragment.processes;
    if let (Some(name), Some(port)) = (named, port) {
        for process in processes.iter_mut().filter(|process| process.kind == ProcessKind::Web) {
            process.env.push((name.clone(), port.to_string()));
        }
    }
    processes
}

/// What an instance's environment is made from, beside the frozen variables.
///
/// It is the same for as long as the instance lives: a node that is told of another one makes the container anew. That is why
/// nothing of it may come from what can be changed, such as the application's name.
pub(crate) struct Environment<'a> {
    pub release: &'a Release,
    pub process: &'a Process,
}

impl Environment<'_> {
    /// The whole environment. The customer's variables win over the plan's; the port is the platform's to say.
    pub(crate) fn complete(&self, frozen: BTreeMap<EnvKey, Secret>) -> BTreeMap<EnvKey, Secret> {
        let mut env = BTreeMap::new();
        let mut put = |key: &str, value: &str| {
            // A plan's name that no process could read is left out rather than failing what runs.
            if let Ok(key) = key.parse::<EnvKey>() {
                env.insert(key, Secret::new(value));
            }
        };
        put("SLIPWAY_RELEASE", &self.release.number.to_string());
        put("SLIPWAY_PROCESS", &self.process.name);
        for (key, value) in &self.process.env {
            put(key, value);
        }
        env.extend(frozen);
        if let (ProcessKind::Web, Some(port), Ok(key)) = (self.process.kind, self.release.port, PORT_VARIABLE.parse()) {
            env.insert(key, Secret::new(port.to_string()));
        }
        env
    }
}

/// What the platform tells every process, frozen with the release. The customer's variables win over it.
pub(crate) fn told(application: &Application, launch: Vec<(String, String)>) -> BTreeMap<EnvKey, Secret> {
    let named = ("SLIPWAY_APPLICATION".to_owned(), application.slug.to_string());
    // A name that no process could read is left out rather than failing what runs.
    launch.into_iter().chain([named]).filter_map(|(key, value)| Some((key.parse().ok()?, Secret::new(value)))).collect()
}

/// What a release serves at and how it is probed: what the customer said, else what the plan says, else what the image exposes.
pub(crate) fn port_and_health(application: &Application, plan: Option<&Plan>, exposed: &[u16]) -> (Option<u16>, HealthCheck) {
    let planned = plan.and_then(|plan| plan.fragment.ports.first()).map(|port| port.default);
    let serves = plan.is_none_or(|plan| plan.fragment.processes.iter().any(|process| process.kind == ProcessKind::Web));
    let stated = application.health_check.as_ref().and_then(|health| health.port);
    let port = serves.then(|| stated.or(planned).or_else(|| exposed.first().copied()).unwrap_or(USUAL_PORT));
    let health = application.health_check.clone().unwrap_or_else(|| match plan.and_then(|plan| plan.fragment.health.as_ref()) {
        None => HealthCheck::default(),
        Some(health) => HealthCheck {
            path: match &health.probe {
                Probe::Http(path) => Some(path.clone()),
                Probe::Tcp | Probe::Command(_) => None,
            },
            grace_seconds: health.grace_seconds,
            ..HealthCheck::default()
        },
    });
    (port, HealthCheck { port, ..health })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_reads_another_variable_is_told_its_port_there_too() {
        let text = r#"{"buildpack":"python","detection":{"app_root":".","score":90,"framework":null,"package_manager":null,"reasons":[],
            "provides":[],"requires":[]},"tools":[],"caches":[],"steps":[],"image":null,"dockerfile":null,
            "processes":[{"name":"web","kind":"web","command":{"argv":["streamlit"]},"env":[],"is_default":true}],
            "ports":[{"name":"http","env":"STREAMLIT_SERVER_PORT","default":8501}],"health":null,"static_site":null,"diagnostics":[]}"#;
        let plan: Plan = serde_json::from_str(text).unwrap();
        assert_eq!(processes_of(Some(plan), Some(8501))[0].env, [("STREAMLIT_SERVER_PORT".to_owned(), "8501".to_owned())]);
        assert_eq!(processes_of(None, Some(80))[0].name, "web");
    }

    #[test]
    fn a_shell_line_stays_one_word() {
        assert_eq!(argv(&Command::Shell("a; b 'c'".into())).unwrap(), ["/bin/sh", "-c", "a; b 'c'"]);
        assert_eq!(argv(&Command::Argv(vec![])), None);
        assert_eq!(argv(&Command::Argv(vec!["node".into(), "a b".into()])).unwrap(), ["node", "a b"]);
    }
}
