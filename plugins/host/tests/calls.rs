//! What becomes of a call to a plugin that misbehaves.

mod built;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use built::{Plugins, only};
use serde_json::json;
use slipway_plugin_host::{
    CallError, Misconduct, Options, Plugin, STRIKES,
    messages::{LaunchRequest, Resolution, ResolveRequest},
};

const DEADLINE: Duration = Duration::from_millis(1500);

/// Milliseconds; longer than any test program runs, which does not wait for threads that hang.
const FOREVER: &str = "600000";

async fn evil() -> (Plugins, Arc<Plugin>) {
    let plugins = Plugins::none().with_fixture("evil", "runtime");
    let host = plugins.open_with(Options { call_deadline: DEADLINE, ..Options::default() }).await;
    let plugin = only(&host);
    (plugins, plugin)
}

async fn resolve(plugin: &Plugin, tool: &str, constraint: &str) -> Result<Resolution, CallError> {
    plugin.runtime_resolve(ResolveRequest { tool: tool.into(), constraint: constraint.into() }).await
}

async fn misconduct(plugin: &Plugin, tool: &str, constraint: &str) -> Misconduct {
    match resolve(plugin, tool, constraint).await {
        Err(CallError::Misconduct { misconduct, .. }) => misconduct,
        other => panic!("{tool}: {other:?}"),
    }
}

#[tokio::test]
async fn a_panic_costs_the_call_and_no_more() {
    let (_plugins, evil) = evil().await;
    assert_eq!(misconduct(&evil, "panic", "out of cheese").await, Misconduct::Panicked("out of cheese".into()));
    assert_eq!(resolve(&evil, "good", "").await.unwrap().run_image, "good:1");
    assert_eq!(evil.stats().strikes, 1);
}

#[tokio::test]
async fn a_panic_with_a_long_message_is_cut() {
    let (_plugins, evil) = evil().await;
    let Misconduct::Panicked(message) = misconduct(&evil, "panic", &"é".repeat(10_000)).await else { panic!("no panic") };
    assert_eq!(message.chars().count(), 2_000);
}

#[tokio::test]
async fn a_call_that_overruns_ends_at_the_deadline() {
    let (_plugins, evil) = evil().await;
    let begun = Instant::now();
    assert_eq!(misconduct(&evil, "sleep", FOREVER).await, Misconduct::Overran(DEADLINE));
    assert!(begun.elapsed() >= DEADLINE && begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(resolve(&evil, "good", "").await.is_ok(), "the abandoned call is in nobody's way");
}

#[tokio::test]
async fn unusable_replies_are_told_apart_from_answers() {
    for tool in ["no_json", "no_text", "no_bytes", "no_answer", "no_status", "no_error", "other_kind", "other_question", "empty"] {
        let (_plugins, evil) = evil().await;
        let misconduct = misconduct(&evil, tool, "").await;
        assert!(matches!(misconduct, Misconduct::BadReply(_)), "{tool}: {misconduct:?}");
        assert!(resolve(&evil, "good", "").await.is_ok(), "{tool}");
    }
}

#[tokio::test]
async fn launch_settings_that_are_no_environment_are_unusable() {
    let (_plugins, evil) = evil().await;
    let launched = evil.runtime_launch(LaunchRequest { memory_bytes: 1, cpu_millis: 1, version: "1".into() }).await;
    assert!(matches!(launched, Err(CallError::Misconduct { misconduct: Misconduct::BadReply(_), .. })), "{launched:?}");
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_no_strike() {
    let (_plugins, evil) = evil().await;
    for _ in 0..2 * STRIKES {
        let Err(CallError::Refused(refusal)) = resolve(&evil, "refuse", "").await else { panic!("it should be refused") };
        assert_eq!((refusal.code.as_str(), refusal.fix.as_deref()), ("NO", Some("come back tomorrow")));
    }
    let stats = evil.stats();
    assert_eq!((stats.calls, stats.refusals, stats.errors, stats.strikes), (2 * STRIKES, 2 * STRIKES, 0, 0));
}

#[tokio::test]
async fn three_strikes_quarantine_until_it_is_released() {
    let (_plugins, evil) = evil().await;
    for tool in ["panic", "no_json", "panic"] {
        assert!(evil.is_usable());
        misconduct(&evil, tool, "again").await;
    }
    assert_eq!(evil.quarantined_for(), Some(Misconduct::Panicked("again".into())));
    let Err(error @ CallError::Quarantined { .. }) = resolve(&evil, "good", "").await else { panic!("it should be quarantined") };
    assert!(error.to_string().contains("it panicked: again"), "{error}");
    assert!(matches!(evil.runtime_describe().await, Err(CallError::Quarantined { .. })));
    assert!(matches!(evil.configure(json!({})).await, Err(CallError::Quarantined { .. })));
    assert_eq!(evil.stats().calls, STRIKES, "nothing more reaches it");

    evil.release();
    assert!(evil.is_usable());
    assert!(resolve(&evil, "good", "").await.is_ok());
    assert_eq!(evil.stats().strikes, 0);
}

#[tokio::test]
async fn a_quarantined_runtime_is_not_found_by_its_tools() {
    let plugins = Plugins::none().with_fixture("evil", "runtime");
    let host = plugins.open().await;
    assert!(host.runtime_for_tool("good").await.is_some());
    for _ in 0..STRIKES {
        misconduct(&only(&host), "panic", "again").await;
    }
    assert!(host.runtime_for_tool("good").await.is_none());
}

#[tokio::test]
async fn a_disabled_plugin_is_not_called_but_can_be_configured() {
    let (_plugins, evil) = evil().await;
    evil.set_enabled(false);
    assert!(matches!(resolve(&evil, "good", "").await, Err(CallError::Disabled { .. })));
    assert!(matches!(evil.runtime_describe().await, Err(CallError::Disabled { .. })));
    evil.configure(json!({})).await.unwrap();
    evil.set_enabled(true);
    assert!(resolve(&evil, "good", "").await.is_ok());
}

/// As many calls at once as a plugin may have.
async fn sixteen(plugin: &Arc<Plugin>, milliseconds: &'static str) -> Vec<Result<Resolution, CallError>> {
    let begin = |plugin: Arc<Plugin>| tokio::spawn(async move { resolve(&plugin, "sleep", milliseconds).await });
    let calls: Vec<_> = (0..16).map(|_| begin(plugin.clone())).collect();
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn calls_run_beside_each_other() {
    let plugins = Plugins::none().with_fixture("evil", "runtime");
    let evil = only(&plugins.open_with(Options { call_deadline: Duration::from_secs(30), ..Options::default() }).await);
    let begun = Instant::now();
    assert!(sixteen(&evil, "1000").await.iter().all(Result::is_ok));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn hung_calls_keep_their_places_so_that_threads_do_not_pile_up() {
    let (_plugins, evil) = evil().await;
    for outcome in sixteen(&evil, FOREVER).await {
        assert!(matches!(outcome, Err(CallError::Misconduct { misconduct: Misconduct::Overran(_), .. })), "{outcome:?}");
    }
    evil.release();
    assert!(matches!(resolve(&evil, "good", "").await, Err(CallError::Busy { .. })));
    assert_eq!(evil.stats().strikes, 0, "it is not blamed for the wait as well");
}

/// Tokio waits for its own blocking threads; those of hung plugins are not among them.
#[test]
fn a_runtime_shuts_down_although_a_plugin_hangs() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (_plugins, evil) = evil().await;
        misconduct(&evil, "sleep", FOREVER).await;
    });
    let begun = Instant::now();
    drop(runtime);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn settings_are_checked_by_the_schema_and_then_by_the_plugin() {
    let schema = "\n[settings_schema]\ntype = \"object\"\n[settings_schema.properties.mood]\ntype = \"string\"\n";
    let plugins = Plugins::none().with_fixture("evil", "runtime").append_to_manifest("evil", schema);
    let evil = only(&plugins.open().await);
    assert!(matches!(evil.configure(json!({ "mood": 7 })).await, Err(CallError::Settings { .. })));
    assert_eq!(evil.stats().calls, 0, "what the schema refuses does not reach the plugin");
    assert!(matches!(evil.configure(json!({ "mood": "stubborn" })).await, Err(CallError::Refused(_))));
    evil.configure(json!({ "mood": "mild" })).await.unwrap();
}

#[tokio::test]
async fn a_description_is_asked_once_and_again_after_new_settings() {
    let (_plugins, evil) = evil().await;
    for _ in 0..3 {
        assert_eq!(evil.runtime_describe().await.unwrap().slug, "evil");
    }
    assert_eq!(evil.stats().calls, 1);
    evil.configure(json!({})).await.unwrap();
    evil.runtime_describe().await.unwrap();
    assert_eq!(evil.stats().calls, 3);
}
