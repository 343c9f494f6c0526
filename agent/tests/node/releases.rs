//! Release processes through the engine.

use std::sync::Arc;
use std::time::Duration;

use slipway_agent::engine::Engine;
use slipway_agent::sim::Builds;
use slipway_agent::task::TaskRunner;
use slipway_agent::tasks::Dispatcher;
use slipway_model::state::StepStatus;
use slipway_model::{ApplicationId, DeploymentId, Resources, TaskId};
use slipway_protocol::{Outcome, RunTask, Task, TaskEventKind, TaskFailure, TaskSpec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::engine_rig::{IMAGE, Rig};

fn task(rig: &Rig, script: &str, time_seconds: u64) -> Task {
    let run = RunTask {
        image: IMAGE.into(),
        command: vec!["bash".into(), "-c".into(), script.into()],
        env: Default::default(),
        resources: Resources { cpu_millis: 500, memory_bytes: 64 << 20, storage_bytes: 0 },
        time_seconds,
    };
    Task {
        id: TaskId::new(&*rig.clock),
        organization: rig.organization,
        application: ApplicationId::new(&*rig.clock),
        deployment: DeploymentId::new(&*rig.clock),
        deadline: rig.clock.now() + chrono::TimeDelta::hours(1),
        spec: TaskSpec::Run(run),
    }
}

async fn run(rig: &Rig, task: &Task, cancel: CancellationToken) -> (Outcome, Vec<String>, Vec<StepStatus>) {
    let builder = Arc::new(Builds::failing(Duration::ZERO, TaskFailure::new("UNEXPECTED", "no build is meant")));
    let runner = Dispatcher { engine: rig.engine(), builder };
    let (sender, mut receiver) = mpsc::channel(8);
    let (mut lines, mut steps) = (Vec::new(), Vec::new());
    let collect = async {
        while let Some(event) = receiver.recv().await {
            match event {
                TaskEventKind::Log { lines: more } => lines.extend(more),
                TaskEventKind::Step { status, .. } => steps.push(status),
                TaskEventKind::Finished { .. } => panic!("finishing is the journal's to say"),
            }
        }
    };
    let (outcome, ()) = tokio::join!(runner.run(task, sender, cancel), collect);
    (outcome, lines, steps)
}

#[tokio::test]
async fn a_release_process_runs_once_and_its_lines_and_code_arrive() {
    let rig = Rig::new().await;
    for code in [0, 4] {
        let task = task(&rig, &format!("echo migrating; sleep 0.3; echo done >&2; exit {code}"), 60);
        let (outcome, lines, steps) = run(&rig, &task, CancellationToken::new()).await;
        assert_eq!(outcome, Outcome::Ran { exit_code: code });
        assert_eq!(lines, ["migrating", "done"]);
        assert_eq!(steps, [StepStatus::Running, if code == 0 { StepStatus::Succeeded } else { StepStatus::Failed }]);
        assert_eq!(rig.docker.list().await.unwrap(), [], "its container is gone");
    }
}

#[tokio::test]
async fn a_release_process_that_takes_too_long_is_ended() {
    let rig = Rig::new().await;
    let (outcome, _, _) = run(&rig, &task(&rig, "sleep 600", 2), CancellationToken::new()).await;
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.code, "RELEASE_TIMED_OUT");
    assert_eq!(rig.docker.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_canceled_release_process_is_ended() {
    let rig = Rig::new().await;
    let cancel = CancellationToken::new();
    let later = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        later.cancel();
    });
    let (outcome, _, _) = run(&rig, &task(&rig, "sleep 600", 60), cancel).await;
    assert_eq!(outcome, Outcome::Canceled);
    assert_eq!(rig.docker.list().await.unwrap(), []);
}

/// The agent is killed while a migration runs: the next one waits for it instead of running a second beside it.
#[tokio::test]
async fn a_release_process_is_taken_up_again_and_not_run_twice() {
    let rig = Rig::new().await;
    let task = task(&rig, "echo begin; sleep 3; echo end; exit 5", 60);
    let first = tokio::time::timeout(Duration::from_secs(2), run(&rig, &task, CancellationToken::new())).await;
    assert!(first.is_err(), "it is still running");
    let (outcome, lines, _) = run(&rig, &task, CancellationToken::new()).await;
    assert_eq!(outcome, Outcome::Ran { exit_code: 5 });
    assert_eq!(lines.iter().filter(|line| *line == "begin").count(), 1);
    assert_eq!(lines.last().unwrap(), "end");
}

#[tokio::test]
async fn an_image_that_was_built_here_goes_when_nothing_has_it_and_no_other_does() {
    use bollard::query_parameters::TagImageOptionsBuilder;
    use chrono::TimeDelta;
    use slipway_agent::engine::{ContainerSpec, Owner};
    use slipway_agent::images::{self, Ledger};

    let rig = Rig::new().await;
    let (repository, docker) = (format!("slipway/{}", ApplicationId::new(&*rig.clock)), crate::engine_rig::raw());
    let ledger = Ledger::open(rig.folder.path()).unwrap();
    let exists = async |tag: &str| docker.inspect_image(&format!("{repository}:{tag}")).await.is_ok();
    for tag in ["old", "used", "stranger"] {
        docker.tag_image(IMAGE, Some(TagImageOptionsBuilder::default().repo(&repository).tag(tag).build())).await.unwrap();
        if tag != "stranger" {
            ledger.add(&format!("{repository}:{tag}"), rig.clock.now() - TimeDelta::hours(2));
        }
    }
    let mut instance = rig.instance(&["sleep", "600"], None);
    instance.image = format!("{repository}:used");
    rig.docker.create(&ContainerSpec::of_instance(&instance)).await.unwrap();
    rig.docker.start(Owner::Instance(instance.id)).await.unwrap();
    images::once(&*rig.docker, &ledger, &[format!("{repository}:used")], rig.clock.now()).await;
    assert_eq!((exists("old").await, exists("used").await, exists("stranger").await), (false, true, true));
    rig.docker.remove(Owner::Instance(instance.id)).await.unwrap();
    images::once(&*rig.docker, &ledger, &[], rig.clock.now()).await;
    assert_eq!((exists("used").await, exists("stranger").await), (false, true));
    rig.docker.remove_image(&format!("{repository}:stranger")).await.unwrap();
}
