//! A plugin in a process of its own: what it cannot reach, and what becomes of a call when it misbehaves. The host and the other
//! calls go on each time.

mod built;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use built::{Plugins, apart, only, reason};
use serde_json::json;
use slipway_plugin_host::{
    CallError, Isolation, Misconduct, Options, Plugin, ProcessLimits,
    messages::{RateRequest, Resolution, ResolveRequest, UsagePeriod},
};

const DEADLINE: Duration = Duration::from_secs(3);

const SCHEMA: &str = "\n[settings_schema.properties.token]\ntype = \"string\"\nwriteOnly = true\n";

async fn evil() -> (Plugins, Arc<Plugin>) {
    let plugins = Plugins::none().with_fixture("evil", "runtime").append_to_manifest("evil", SCHEMA);
    let host = plugins.open_with(Options { call_deadline: DEADLINE, ..apart() }).await;
    let plugin = only(&host);
    assert_eq!(plugin.isolation(), Isolation::Process);
    (plugins, plugin)
}

async fn resolve(plugin: &Plugin, tool: &str, constraint: &str) -> Result<Resolution, CallError> {
    plugin.runtime_resolve(ResolveRequest { tool: tool.into(), constraint: constraint.into() }).await
}

async fn misconduct(plugin: &Plugin, tool: &str) -> Misconduct {
    match resolve(plugin, tool, "").await {
        Err(CallError::Misconduct { misconduct, .. }) => misconduct,
        other => panic!("{tool}: {other:?}"),
    }
}

/// What a deed that came back says of itself.
async fn attempt(plugin: &Plugin, deed: &str, with: &str) -> String {
    match resolve(plugin, deed, with).await {
        Err(CallError::Refused(refusal)) if refusal.code == "TRIED" => refusal.message,
        other => panic!("{deed}: {other:?}"),
    }
}

#[tokio::test]
async fn it_answers_as_it_does_in_the_hosts_own_process() {
    let plugins = Plugins::none().with_shipped("billing-hourly").with_shipped("runtime-node");
    let (here, there) = (plugins.open().await, plugins.open_with(apart()).await);
    let rate = RateRequest {
        currency: "EUR".into(),
        usage: vec![UsagePeriod {
            key: "one".into(),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            end: "2026-01-01T01:30:00Z".parse().unwrap(),
            hourly_rate: "0.012".parse().unwrap(),
            ..UsagePeriod::default()
        }],
    };
    let mut answers = Vec::new();
    for (host, isolation) in [(&here, Isolation::None), (&there, Isolation::Process)] {
        let (billing, node) = (host.get("billing-hourly").unwrap(), host.get("runtime-node").unwrap());
        assert_eq!((billing.isolation(), node.isolation()), (isolation, isolation));
        answers.push((billing.billing_rate(rate.clone()).await.unwrap(), node.runtime_describe().await.unwrap()));
        let Err(CallError::Refused(refusal)) = resolve(&node, "node", "23.99.0").await else { panic!("it should be refused") };
        assert_eq!(refusal.code, "VERSION_UNKNOWN");
        assert!(node.stats().p99_micros.is_some());
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn whatever_ends_the_process_costs_that_call_and_no_more() {
    for (deed, says) in [
        ("abort", "signal 6"),
        ("segfault", "signal 11"),
        ("overflow", "signal 6"),
        ("memory", "signal 6"),
        ("exit", "by itself with code 3"),
        ("close", "by itself with code 1"),
        ("long", "a reply of"),
    ] {
        let (_plugins, evil) = evil().await;
        let ended = misconduct(&evil, deed).await;
        assert!(matches!(&ended, Misconduct::Ended(how) if how.contains(says)), "{deed}: {ended:?}");
        assert_eq!(resolve(&evil, "good", "").await.unwrap().run_image, "good:1", "{deed}");
        assert_eq!((evil.stats().strikes, evil.stats().restarts), (1, 1), "{deed}");
    }
}

#[tokio::test]
async fn what_does_not_end_is_ended() {
    for deed in ["spin", "sleep"] {
        let (_plugins, evil) = evil().await;
        let begun = Instant::now();
        let outcome = resolve(&evil, deed, "600000").await;
        assert!(matches!(outcome, Err(CallError::Misconduct { misconduct: Misconduct::Overran(DEADLINE), .. })), "{deed}: {outcome:?}");
        assert!(begun.elapsed() < DEADLINE + Duration::from_secs(2), "{deed}: {:?}", begun.elapsed());
        assert!(resolve(&evil, "good", "").await.is_ok(), "{deed}");
        assert_eq!(evil.stats().restarts, 1, "{deed}: it is not left to compute for ever");
    }
}

#[tokio::test]
async fn a_panic_and_nonsense_are_what_they_are_in_the_hosts_own_process() {
    for (tool, text) in [("panic", "panicked"), ("no_json", "unusable"), ("no_text", "unusable"), ("no_answer", "buffer is null")] {
        let (_plugins, evil) = evil().await;
        let misconduct = misconduct(&evil, tool).await;
        assert!(misconduct.to_string().contains(text), "{tool}: {misconduct}");
        assert!(resolve(&evil, "good", "").await.is_ok(), "{tool}");
        assert_eq!(evil.stats().restarts, 0, "{tool}: the process goes on");
    }
}

#[tokio::test]
async fn it_reaches_no_file_no_network_and_no_other_process() {
    let (plugins, evil) = evil().await;
    let own = plugins.path().join("evil/plugin.toml");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "the platform's key").unwrap();
    let parent = std::process::id().to_string();
    for (deed, with) in [
        ("read", "/etc/passwd"),
        ("read", "/proc/self/environ"),
        ("read", secret.path().to_str().unwrap()),
        ("read", own.to_str().unwrap()),
        ("list", "/"),
        ("list", "/tmp"),
        ("write", "/tmp/evil-was-here"),
        ("write", "/dev/shm/evil-was-here"),
        ("write", secret.path().to_str().unwrap()),
        ("connect", &address),
        ("execute", "/bin/true"),
        ("kill", &parent),
    ] {
        let outcome = attempt(&evil, deed, with).await;
        assert!(outcome.starts_with("refused: "), "{deed} {with}: {outcome}");
    }
    assert_eq!(fs::read_to_string(secret.path()).unwrap(), "the platform's key");
    assert_eq!(attempt(&evil, "environment", "").await, "[]");
    assert_eq!(attempt(&evil, "fork", "").await, "forked 0 times");
    // Nothing at the standard ones, and the channel.
    assert_eq!(attempt(&evil, "descriptors", "").await, "[0, 1, 2, 9]");
    assert!(resolve(&evil, "good", "").await.is_ok());
    assert_eq!(evil.stats().strikes, 0);
}

/// Where the host is root, as where the tests run in a container.
#[tokio::test]
async fn it_is_another_user_than_the_host() {
    let (_plugins, evil) = evil().await;
    let user = attempt(&evil, "user", "").await;
    let own = fs::metadata("/proc/self").map(|about| std::os::unix::fs::MetadataExt::uid(&about)).unwrap();
    if own == 0 {
        let user: u32 = user.split(' ').next().unwrap().parse().unwrap();
        assert!(user >= 0x7000_0000, "{user}");
    }
}

#[tokio::test]
async fn threads_without_end_come_to_one() {
    let (_plugins, evil) = evil().await;
    let outcome = attempt(&evil, "threads", "").await;
    assert!(outcome.contains("after "), "{outcome}");
    assert!(resolve(&evil, "good", "").await.is_ok());
}

#[tokio::test]
async fn what_it_prints_is_in_nobodys_way() {
    let (_plugins, evil) = evil().await;
    assert_eq!(attempt(&evil, "print", &"x".repeat(1000)).await, "printed");
    assert!(resolve(&evil, "good", "").await.is_ok());
}

#[tokio::test]
async fn memory_up_to_its_limit_is_its_own_affair() {
    let plugins = Plugins::none().with_fixture("evil", "runtime");
    let limits = ProcessLimits { memory_bytes: 96 << 20, ..ProcessLimits::default() };
    let evil = only(&plugins.open_with(Options { limits, ..apart() }).await);
    let begun = Instant::now();
    assert!(matches!(misconduct(&evil, "memory").await, Misconduct::Ended(_)));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn settings_are_given_again_to_a_process_that_is_started_again() {
    let (_plugins, evil) = evil().await;
    evil.configure(json!({ "token": "tok" })).await.unwrap();
    let token = async || match resolve(&evil, "token", "").await {
        Err(CallError::Refused(refusal)) => refusal.message,
        other => panic!("{other:?}"),
    };
    assert_eq!(token().await, "my token is tok");
    misconduct(&evil, "abort").await;
    assert_eq!(token().await, "my token is tok");
}

#[tokio::test]
async fn a_secret_that_it_repeats_is_not_seen() {
    let (_plugins, evil) = evil().await;
    evil.configure(json!({ "token": "canary-8d1f" })).await.unwrap();
    let Err(CallError::Refused(refusal)) = resolve(&evil, "token", "").await else { panic!("it should be refused") };
    assert_eq!(refusal.message, "my token is …");
    assert_eq!(misconduct(&evil, "panic_token").await, Misconduct::Panicked("my token is …".into()));
}

#[tokio::test]
async fn three_ends_quarantine_it_and_it_rests_in_between() {
    let (_plugins, evil) = evil().await;
    for _ in 0..2 {
        misconduct(&evil, "abort").await;
    }
    let Err(CallError::NotMade { cause, .. }) = resolve(&evil, "good", "").await else { panic!("it should rest") };
    assert!(cause.contains("has ended 2 times in a row"), "{cause}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    misconduct(&evil, "abort").await;
    assert!(matches!(resolve(&evil, "good", "").await, Err(CallError::Quarantined { .. })));
    evil.release();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(resolve(&evil, "good", "").await.is_ok());
}

#[tokio::test]
async fn calls_beside_one_that_ends_the_process_are_not_held_against_it() {
    let (_plugins, evil) = evil().await;
    let call = |tool: &'static str| {
        let evil = Arc::clone(&evil);
        tokio::spawn(async move { resolve(&evil, tool, "1500").await })
    };
    let mut calls: Vec<_> = (0..4).map(|_| call("sleep")).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    calls.push(call("abort"));
    let (mut blamed, mut beside) = (0, 0);
    for call in calls {
        match call.await.unwrap() {
            Err(CallError::Misconduct { misconduct: Misconduct::Ended(_), .. }) => blamed += 1,
            Err(CallError::NotMade { cause, .. }) if cause.contains("another call") => beside += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((blamed, beside), (1, 4), "one of them, for nobody can say which it was");
    assert_eq!(evil.stats().strikes, 1);
}

#[tokio::test]
async fn calls_run_beside_each_other() {
    let (_plugins, evil) = evil().await;
    let begun = Instant::now();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let evil = Arc::clone(&evil);
            tokio::spawn(async move { resolve(&evil, "sleep", "1000").await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_library_that_changed_after_it_was_approved_is_not_started_again() {
    let (plugins, evil) = evil().await;
    let path = plugins.path().join("evil/it.so");
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(0);
    fs::write(&path, bytes).unwrap();
    assert!(resolve(&evil, "good", "").await.is_ok(), "what runs is what was approved");
    misconduct(&evil, "abort").await;
    let Err(CallError::NotMade { cause, .. }) = resolve(&evil, "good", "").await else { panic!("it should not be started") };
    assert!(cause.contains("was approved"), "{cause}");
}

#[tokio::test]
async fn libraries_of_another_interface_are_refused_from_their_process() {
    for (fixture, expected) in [
        ("wrong-abi", "version 42 of the C interface"),
        ("missing-symbol", "does not export `slipway_plugin_table`"),
        ("small-table", "unusable: 8 bytes"),
        ("future-messages", "message versions 3 to 4"),
    ] {
        let plugins = Plugins::none().with_fixture(fixture, "billing");
        let host = plugins.open_with(apart()).await;
        assert!(host.plugins().is_empty());
        assert!(reason(&host).contains(expected), "{fixture}: {}", reason(&host));
    }
}

#[tokio::test]
async fn a_manifest_that_lies_is_found_out_by_a_probe() {
    let library = built::shipped_library("runtime-node");
    let plugins = Plugins::none().with_library("liar", "billing", &library);
    let host = plugins.open_with(apart()).await;
    let error = only(&host).probe().await.unwrap_err();
    assert!(error.to_string().contains("kind runtime"), "{error}");
}

#[tokio::test]
async fn a_replaced_plugin_finishes_its_calls_and_takes_no_more() {
    let (plugins, evil) = evil().await;
    let host = plugins.open_with(Options { call_deadline: DEADLINE, ..apart() }).await;
    let old = only(&host);
    let under_way = {
        let old = Arc::clone(&old);
        tokio::spawn(async move { resolve(&old, "sleep", "800").await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(host.put(Arc::clone(&evil)).is_some_and(|replaced| Arc::ptr_eq(&replaced, &old)));
    old.retire(Duration::from_secs(5)).await;
    assert!(under_way.await.unwrap().is_ok());
    assert!(matches!(resolve(&old, "good", "").await, Err(CallError::NotMade { .. })));
    assert!(resolve(&only(&host), "good", "").await.is_ok());
}
