//! From a source tree to a checked plan.

use std::path::{Path, PathBuf};

use futures::future::join_all;
use slipway_buildpack_wit::{
    Asset, Beside, Command, Context, Detected, Detection, Diagnostic, Fragment, Level, Plan, Process, ProcessKind, Refusal, procfile,
    shell_line,
};

use crate::{
    Buildpack, Candidate, Choice, HostError, LookedFor, PlanViolation,
    app_config::AppConfig,
    below::{self, Below},
    check_plan,
    compose::{Contribution, compose, made_by},
    select, stated_buildpacks,
};

/// A Procfile is a few lines.
const MAX_PROCFILE_BYTES: u64 = 64 << 10;

/// What the customer said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanRequest {
    pub context: Context,
    /// The runtime that the customer named, which is the id of its buildpack.
    pub runtime: Option<String>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanFailure {
    /// The application cannot work as it is.
    #[error("{0}")]
    Refused(Refusal),
    #[error("no buildpack recognises the source")]
    NoMatch { looked_for: Vec<LookedFor> },
    #[error("the buildpack `{buildpack}` failed: {error}")]
    Host {
        buildpack: String,
        #[source]
        error: HostError,
    },
    #[error("the buildpack `{buildpack}` made a plan that breaks the rules: {}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    InvalidPlan { buildpack: String, violations: Vec<PlanViolation> },
}

/// Asks every buildpack, chooses one, and returns its plan, checked and with the Procfile's processes. Where nothing says which
/// directory is the application's root, and the top of the tree is none, the only one below it that could be is taken.
///
/// # Errors
/// See [`PlanFailure`].
pub async fn plan_directory(buildpacks: &[Buildpack], tree: &Path, request: &PlanRequest) -> Result<Plan, PlanFailure> {
    let answer = plan_root(buildpacks, tree, request).await;
    let Err(PlanFailure::NoMatch { .. }) = &answer else { return answer };
    if request.context.app_root != "." || request.context.dockerfile_path.is_some() {
        return answer;
    }
    match below::look(tree) {
        Below::Nothing => answer,
        Below::Several(refusal) => Err(PlanFailure::Refused(refusal)),
        Below::One(dir) => {
            let context = Context { app_root: dir.clone(), ..request.context.clone() };
            let mut plan = plan_root(buildpacks, tree, &PlanRequest { context, ..request.clone() }).await?;
            plan.fragment.diagnostics.insert(0, below::diagnostic(&dir));
            Ok(plan)
        }
    }
}

async fn plan_root(buildpacks: &[Buildpack], tree: &Path, request: &PlanRequest) -> Result<Plan, PlanFailure> {
    let config = AppConfig::read(tree, &request.context.app_root).map_err(PlanFailure::Refused)?;
    let is_start_set = request.context.start_command.is_some();
    let request = &config.complete(request);
    if real_directory(tree, &request.context.app_root).is_none() {
        return Err(PlanFailure::Refused(no_such_root(&request.context.app_root)));
    }
    let runtime = request.runtime.as_deref().map(|name| named(buildpacks, name));
    if let Some(runtime) = runtime.filter(|id| buildpacks.iter().all(|buildpack| buildpack.id() != *id)) {
        return Err(PlanFailure::Refused(unknown_runtime(runtime, buildpacks)));
    }
    let (candidates, mut failed) = detect(buildpacks, tree, request, runtime).await?;
    let (chosen, detection, others) = match select(candidates, runtime) {
        Choice::Chosen { buildpack, detection, others } => {
            tracing::debug!(buildpack, score = detection.score, others = ?others.iter().map(|(id, d)| (id, d.score)).collect::<Vec<_>>(), "chosen");
            (buildpack, detection, others)
        }
        Choice::Refused(refusal) => return Err(PlanFailure::Refused(refusal)),
        Choice::NoMatch(looked_for) => {
            // The one that failed may be the one that knows it.
            return Err(if failed.is_empty() { PlanFailure::NoMatch { looked_for } } else { failed.swap_remove(0) });
        }
    };
    let buildpack = of_id(buildpacks, &chosen);
    let known_best = others.first().map(|(id, other)| beside(id, other, Vec::new()));
    let Contributions { made, left, told } = contributions(buildpacks, tree, &request.context, &detection, others).await?;
    // What nobody else makes is for the buildpack to make, or to do without.
    let asked = Detection { requires: left, provides: Vec::new(), ..detection.clone() };
    let answer = buildpack.plan(tree, &request.context, &asked).await.map_err(|error| blame(buildpack, error))?;
    let mut fragment = answer.map_err(PlanFailure::Refused)?;
    if runtime.is_none() && fragment.dockerfile.is_none() {
        stated_buildpacks::check(&tree.join(&request.context.app_root)).map_err(PlanFailure::Refused)?;
    }
    let mut others: Vec<Beside> = fragment.dockerfile.as_ref().and(known_best).into_iter().collect();
    for contribution in made {
        others.push(beside(&contribution.buildpack, &contribution.detection, contribution.detection.provides.clone()));
        compose(&mut fragment, &detection, contribution);
    }
    fragment.diagnostics.extend(told);
    fragment.diagnostics.extend(failed.iter().map(left_out));
    if let Some(text) = read_procfile(&tree.join(&request.context.app_root).join("Procfile")) {
        merge_procfile(&mut fragment, &text, request.context.start_command.is_some());
    }
    config.amend(&mut fragment, is_start_set);
    for process in &mut fragment.processes {
        if let Command::Shell(line) = &mut process.command {
            *line = shell_line::in_place_of_shell(line);
        }
    }
    check_plan(&fragment).map_err(|violations| PlanFailure::InvalidPlan { buildpack: chosen.clone(), violations })?;
    Ok(Plan { buildpack: chosen, detection, beside: others, fragment })
}

/// What each buildpack says of the source. One that fails is left out, so that it does not take the others down with it, unless
/// it is the one that was asked for.
async fn detect(
    buildpacks: &[Buildpack],
    tree: &Path,
    request: &PlanRequest,
    runtime: Option<&str>,
) -> Result<(Vec<Candidate>, Vec<PlanFailure>), PlanFailure> {
    let answers = join_all(buildpacks.iter().map(|buildpack| buildpack.detect(tree, &request.context))).await;
    let (mut candidates, mut failed) = (Vec::new(), Vec::new());
    for (buildpack, answer) in buildpacks.iter().zip(answers) {
        match answer {
            Ok(detected) => {
                candidates.push(Candidate { buildpack: buildpack.id().to_owned(), detected: same_root(detected, &request.context) })
            }
            Err(error) if error.is_lasting() && runtime.is_none_or(|runtime| runtime != buildpack.id()) => {
                failed.push(blame(buildpack, error));
            }
            Err(error) => return Err(blame(buildpack, error)),
        }
    }
    Ok((candidates, failed))
}

fn left_out(failure: &PlanFailure) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        code: "BUILDPACK_FAILED".into(),
        message: format!("Planned without it: {failure}"),
        file: None,
        line: None,
    }
}

fn beside(buildpack: &str, detection: &Detection, makes: Vec<String>) -> Beside {
    Beside {
        buildpack: buildpack.to_owned(),
        framework: detection.framework.clone(),
        package_manager: detection.package_manager.clone(),
        makes,
    }
}

/// The id by which a buildpack is known here. That for Dockerfiles has two names: its own, and that of the runtime that carries it.
fn named<'a>(buildpacks: &[Buildpack], name: &'a str) -> &'a str {
    let is_known = |id: &str| buildpacks.iter().any(|buildpack| buildpack.id() == id);
    match name {
        "docker" if !is_known("docker") => "dockerfile",
        "dockerfile" if !is_known("dockerfile") => "docker",
        name => name,
    }
}

/// The root as a directory of the tree itself; `None` where it is none, or where a link on the way could lead out of the tree.
#[must_use]
pub fn real_directory(tree: &Path, root: &str) -> Option<PathBuf> {
    let mut path = tree.to_path_buf();
    let is_sound = root.split('/').filter(|part| !matches!(*part, "" | ".")).all(|part| {
        path.push(part);
        part != ".." && std::fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir())
    });
    (is_sound && path.is_dir()).then_some(path)
}

fn no_such_root(root: &str) -> Refusal {
    Refusal {
        code: "ROOT_NOT_FOUND".into(),
        message: format!("There is no directory `{root}` in the source."),
        file: None,
        line: None,
        fix: "Correct the application's root directory.".into(),
    }
}

/// What others than the chosen buildpack make for it.
struct Contributions {
    made: Vec<Contribution>,
    /// Assets that nobody makes.
    left: Vec<Asset>,
    told: Vec<Diagnostic>,
}

/// The plans of those that make assets which the chosen buildpack requires, the surest first. A buildpack that refuses makes
/// nothing, and its words are passed on.
async fn contributions(
    buildpacks: &[Buildpack],
    tree: &Path,
    context: &Context,
    detection: &Detection,
    others: Vec<(String, Detection)>,
) -> Result<Contributions, PlanFailure> {
    let mut left = detection.requires.clone();
    let (mut contributions, mut told) = (Vec::new(), Vec::new());
    for (id, mut other) in others {
        let made: Vec<Asset> = made_by(&other, &left).cloned().collect();
        if made.is_empty() {
            continue;
        }
        // The commands in the settings are for the application, not for its assets.
        let context = Context { build_command: None, start_command: None, ..context.clone() };
        let buildpack = of_id(buildpacks, &id);
        other.provides = made.iter().map(|asset| asset.name.clone()).collect();
        match buildpack.plan(tree, &context, &other).await.map_err(|error| blame(buildpack, error))? {
            Ok(fragment) if fragment.image.is_some() => {
                left.retain(|asset| !made.contains(asset));
                contributions.push(Contribution { buildpack: id, detection: other, fragment });
            }
            Ok(_) => {}
            Err(refusal) => told.push(without_assets(refusal)),
        }
    }
    Ok(Contributions { made: contributions, left, told })
}

fn without_assets(refusal: Refusal) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        message: format!("The application goes without what its build script makes. {} {}", refusal.message, refusal.fix),
        code: refusal.code,
        file: refusal.file,
        line: refusal.line,
    }
}

fn of_id<'a>(buildpacks: &'a [Buildpack], id: &str) -> &'a Buildpack {
    buildpacks.iter().find(|buildpack| buildpack.id() == id).expect("a candidate is one of the buildpacks")
}

/// The Procfile's processes join the plan's and replace those of the same name, but for a `web` that the settings state.
fn merge_procfile(fragment: &mut Fragment, text: &str, web_is_stated: bool) {
    for process in procfile::processes(text) {
        match fragment.processes.iter_mut().find(|known| known.name == process.name) {
            Some(_) if process.kind == ProcessKind::Web && web_is_stated => {}
            Some(known) => {
                let env = std::mem::take(&mut known.env);
                *known = Process { env, is_default: known.is_default, ..process };
            }
            None => {
                let is_default = process.is_default && fragment.processes.iter().all(|known| !known.is_default);
                fragment.processes.push(Process { is_default, ..process });
            }
        }
    }
}

fn read_procfile(path: &Path) -> Option<String> {
    let about = std::fs::symlink_metadata(path).ok()?;
    if !about.is_file() || about.len() > MAX_PROCFILE_BYTES {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// A buildpack answers for the root that it was asked about; it does not move the application.
fn same_root(detected: Detected, context: &Context) -> Detected {
    match detected {
        Detected::Yes(mut detection) => {
            detection.app_root.clone_from(&context.app_root);
            Detected::Yes(detection)
        }
        other => other,
    }
}

fn blame(buildpack: &Buildpack, error: HostError) -> PlanFailure {
    PlanFailure::Host { buildpack: buildpack.id().to_owned(), error }
}

fn unknown_runtime(runtime: &str, buildpacks: &[Buildpack]) -> Refusal {
    let known: Vec<_> = buildpacks.iter().map(Buildpack::id).collect();
    Refusal {
        code: "RUNTIME_UNKNOWN".into(),
        message: format!("There is no runtime `{runtime}` here."),
        file: None,
        line: None,
        fix: format!("Choose one of: {}.", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(processes: Vec<Process>) -> Fragment {
        Fragment { processes, ..Fragment::default() }
    }

    fn web(command: &str) -> Process {
        Process {
            name: "web".into(),
            kind: ProcessKind::Web,
            command: Command::Shell(command.into()),
            env: vec![("A".into(), "1".into())],
            is_default: true,
        }
    }

    #[test]
    fn the_root_is_a_directory_of_the_tree_itself() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("apps/web")).unwrap();
        std::os::unix::fs::symlink("/etc", tree.path().join("out")).unwrap();
        for root in [".", "apps", "./apps/web/"] {
            assert!(real_directory(tree.path(), root).is_some(), "{root}");
        }
        for root in ["out", "..", "apps/../..", "none"] {
            assert!(real_directory(tree.path(), root).is_none(), "{root}");
        }
    }

    #[test]
    fn the_procfile_replaces_the_web_process_and_adds_the_others() {
        let mut plan = fragment(vec![web("guessed")]);
        merge_procfile(&mut plan, "web: mine\nworker: work\nrelease: migrate\n", false);
        let seen: Vec<_> = plan.processes.iter().map(|p| (p.name.as_str(), &p.command, p.is_default, p.env.len())).collect();
        assert_eq!(
            seen,
            [
                ("web", &Command::Shell("mine".into()), true, 1),
                ("worker", &Command::Shell("work".into()), false, 0),
                ("release", &Command::Shell("migrate".into()), false, 0)
            ]
        );
    }

    #[test]
    fn a_start_command_in_the_settings_goes_before_the_procfile() {
        let mut plan = fragment(vec![web("settings")]);
        merge_procfile(&mut plan, "web: mine\n", true);
        assert_eq!(plan.processes[0].command, Command::Shell("settings".into()));
    }
}
