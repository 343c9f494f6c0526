//! Desired state into containers, and containers into observed state.

use std::time::{Duration, Instant};

use slipway_agent::engine::{Engine, Owner};
use slipway_model::state::InstanceStatus;

use crate::engine_rig::Rig;

#[tokio::test]
async fn a_desired_instance_runs_answers_and_goes_again_after_its_drain() {
    let mut rig = Rig::new().await;
    let mut agent = rig.reconciler();
    let server = rig.server("one");
    agent.record.accept(rig.desired(std::slice::from_ref(&server))).unwrap();
    let healthy = agent.until_status(server.id, InstanceStatus::Healthy).await;
    let url = format!("http://{}/", healthy.address.unwrap());
    assert_eq!(http().get(&url).send().await.unwrap().text().await.unwrap(), "one");

    let removed = Instant::now();
    agent.record.accept(rig.desired(&[])).unwrap();
    agent.until_status(server.id, InstanceStatus::Stopping).await;
    assert_eq!(http().get(&url).send().await.unwrap().text().await.unwrap(), "one", "it serves while it drains");
    rig.until_containers(0, Duration::from_secs(30)).await;
    assert!(removed.elapsed() > Duration::from_secs(2), "the drain was {:?}", removed.elapsed());
    agent.until("nothing is left", Duration::from_secs(5), |state| state.instances.is_empty()).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_crashing_instance_is_restarted_three_times_and_then_given_up_with_its_last_words() {
    let mut rig = Rig::new().await;
    let mut agent = rig.reconciler();
    let script = "import http.server as h, os, signal, sys, threading, time\n\
                  s = h.HTTPServer(('', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler)\n\
                  threading.Thread(target=s.serve_forever, daemon=True).start()\n\
                  time.sleep(2)\nfor i in range(300): print('line', i, flush=True)\nprint('I am dying', flush=True)\nos._exit(7)";
    let instance = rig.instance(&["python3", "-c", script], Some(8000));
    agent.record.accept(rig.desired(std::slice::from_ref(&instance))).unwrap();
    agent.until_status(instance.id, InstanceStatus::Healthy).await;
    agent.until_status(instance.id, InstanceStatus::Restarting).await;
    let ended = agent.until_status(instance.id, InstanceStatus::Exited).await;
    assert_eq!((ended.exit_code, ended.restart_count), (Some(7), 3));
    assert_eq!((ended.last_lines.len(), ended.last_lines.last().unwrap().as_str()), (200, "I am dying"));
    assert!(ended.reason.unwrap().contains("restarted 3 times"));
    agent.stop().await;

    // What was given up stays given up.
    let mut agent = rig.reconciler();
    agent.until_status(instance.id, InstanceStatus::Exited).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!rig.docker.list().await.unwrap()[0].is_running());
    agent.stop().await;
}

#[tokio::test]
async fn a_failed_start_says_why() {
    let mut rig = Rig::new().await;
    let mut agent = rig.reconciler();
    let broken = rig.instance(&["python3", "-c", "print('no database'); raise SystemExit(3)"], Some(8000));
    let missing = rig.instance(&["no-such-program"], Some(8000));
    let mut deaf = rig.instance(&["sleep", "600"], Some(8000));
    deaf.health.grace_seconds = 3;
    let mut imageless = rig.instance(&["true"], None);
    imageless.image = "slipway/no-such-image:1".into();
    let all = [broken.clone(), missing.clone(), deaf.clone(), imageless.clone()];
    agent.record.accept(rig.desired(&all)).unwrap();

    let seen = agent.until_status(broken.id, InstanceStatus::Exited).await;
    assert_eq!((seen.exit_code, seen.last_lines), (Some(3), vec!["no database".to_owned()]));
    let seen = agent.until_status(missing.id, InstanceStatus::Exited).await;
    assert!(seen.exit_code == Some(127) && seen.last_lines[0].contains("no-such-program"), "{seen:?}");
    let seen = agent.until_status(deaf.id, InstanceStatus::Exited).await;
    assert!(seen.reason.as_deref().unwrap().contains("not ready within 3 s"), "{seen:?}");
    let seen = agent.until_status(imageless.id, InstanceStatus::Exited).await;
    assert!(seen.reason.as_deref().unwrap().contains("slipway/no-such-image:1"), "{seen:?}");
    agent.stop().await;
}

/// F2: killed at many moments of a start, the next agent finishes, with one container and no second start.
#[tokio::test]
async fn an_agent_killed_at_any_moment_leaves_nothing_double_and_nothing_over() {
    let mut rig = Rig::new().await;
    for wait in [0, 30, 100, 200, 350, 500, 800, 1200] {
        let server = rig.server("again");
        let agent = rig.reconciler();
        agent.record.accept(rig.desired(std::slice::from_ref(&server))).unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        agent.kill().await;

        let mut agent = rig.reconciler();
        let healthy = agent.until_status(server.id, InstanceStatus::Healthy).await;
        assert_eq!(healthy.restart_count, 0);
        let current = |containers: Vec<slipway_agent::engine::Container>| {
            containers.into_iter().filter(|container| container.owner == Owner::Instance(server.id)).count()
        };
        assert_eq!(current(rig.docker.list().await.unwrap()), 1);
        agent.kill().await;
    }
    // Apps go on without an agent.
    assert!(rig.docker.list().await.unwrap().iter().any(slipway_agent::engine::Container::is_running));
    let agent = rig.reconciler();
    agent.record.accept(rig.desired(&[])).unwrap();
    rig.until_containers(0, Duration::from_secs(60)).await;
    agent.stop().await;
}

fn http() -> reqwest::Client {
    crate::core::plain_http()
}
