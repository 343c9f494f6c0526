//! A plugin as a component: the same crate, the same messages, and nothing within its reach.

mod built;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use built::{Plugins, apart, component, only, reason};
use serde_json::json;
use slipway_plugin_host::{
    CallError, Isolation, Misconduct, Options, Plugin,
    messages::{RateRequest, Resolution, ResolveRequest, UsagePeriod},
};

const DEADLINE: Duration = Duration::from_secs(2);

async fn evil() -> (Plugins, Arc<Plugin>) {
    let schema = "\n[settings_schema.properties.token]\ntype = \"string\"\nwriteOnly = true\n";
    let plugins = Plugins::none().with_component("slipway-plugin-fixture-evil", "evil", "runtime").append_to_manifest("evil", schema);
    let host = plugins.open_with(Options { call_deadline: DEADLINE, ..apart() }).await;
    let plugin = only(&host);
    assert_eq!(plugin.isolation(), Isolation::Sandbox);
    (plugins, plugin)
}

async fn resolve(plugin: &Plugin, tool: &str, constraint: &str) -> Result<Resolution, CallError> {
    plugin.runtime_resolve(ResolveRequest { tool: tool.into(), constraint: constraint.into() }).await
}

#[tokio::test]
async fn it_answers_as_the_native_one_does() {
    let plugins = Plugins::none().with_shipped("billing-hourly").with_component("slipway-plugin-billing-hourly", "sandboxed", "billing");
    let host = plugins.open_with(apart()).await;
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
    let (native, sandboxed) = (host.get("billing-hourly").unwrap(), host.get("sandboxed").unwrap());
    assert_eq!(native.billing_rate(rate.clone()).await.unwrap(), sandboxed.billing_rate(rate).await.unwrap());
    assert_eq!(native.message_version(), sandboxed.message_version());
}

#[tokio::test]
async fn a_runtime_that_we_ship_works_as_a_component() {
    let plugins = Plugins::none().with_component("slipway-plugin-runtime-node", "node", "runtime");
    let node = only(&plugins.open_with(apart()).await);
    assert_eq!(resolve(&node, "node", ">=20 <23").await.unwrap().run_image, "node:22-slim");
}

#[tokio::test]
async fn whatever_it_does_costs_that_call_and_no_more() {
    for (deed, says) in [
        ("panic", "panicked"),
        ("abort", "was stopped"),
        ("exit", "was stopped"),
        ("overflow", "was stopped"),
        ("memory", "more than 64 MiB of memory"),
        ("spin", "within 2 s"),
        ("sleep", "within 2 s"),
        ("no_json", "unusable"),
        ("no_text", "unusable"),
        ("no_status", "unknown status 77"),
        ("other_kind", "not asked"),
        ("long", "larger than 16 MiB"),
    ] {
        let (_plugins, evil) = evil().await;
        let begun = Instant::now();
        let outcome = resolve(&evil, deed, if deed == "sleep" { "600000" } else { "out of cheese" }).await;
        let Err(CallError::Misconduct { misconduct, .. }) = &outcome else { panic!("{deed}: {outcome:?}") };
        assert!(misconduct.to_string().contains(says), "{deed}: {misconduct}");
        assert!(begun.elapsed() < DEADLINE + Duration::from_secs(2), "{deed}: {:?}", begun.elapsed());
        assert_eq!(resolve(&evil, "good", "").await.unwrap().run_image, "good:1", "{deed}");
        assert_eq!(evil.stats().strikes, 1, "{deed}");
    }
}

#[tokio::test]
async fn its_panic_has_its_message() {
    let (_plugins, evil) = evil().await;
    let Err(CallError::Misconduct { misconduct, .. }) = resolve(&evil, "panic", "out of cheese").await else { panic!("no panic") };
    assert_eq!(misconduct, Misconduct::Panicked("out of cheese".into()));
}

#[tokio::test]
async fn it_reaches_nothing() {
    let (_plugins, evil) = evil().await;
    for (deed, with) in
        [("read", "/etc/passwd"), ("list", "/"), ("write", "/tmp/evil-was-here"), ("connect", "127.0.0.1:1"), ("threads", "")]
    {
        let Err(CallError::Refused(refusal)) = resolve(&evil, deed, with).await else { panic!("{deed}") };
        assert!(refusal.message.starts_with("refused: "), "{deed}: {}", refusal.message);
    }
    for deed in ["environment", "arguments"] {
        let Err(CallError::Refused(refusal)) = resolve(&evil, deed, "").await else { panic!("{deed}") };
        assert_eq!(refusal.message, "[]", "{deed}");
    }
    let Err(CallError::Refused(refusal)) = resolve(&evil, "print", &"x".repeat(1000)).await else { panic!("print") };
    assert_eq!(refusal.message, "printed");
    assert_eq!(evil.stats().strikes, 0);
}

#[tokio::test]
async fn its_settings_outlive_its_instances_and_are_not_seen() {
    let (_plugins, evil) = evil().await;
    evil.configure(json!({ "token": "canary-8d1f" })).await.unwrap();
    let told = async || match resolve(&evil, "token", "").await {
        Err(CallError::Refused(refusal)) => refusal.message,
        other => panic!("{other:?}"),
    };
    assert_eq!(told().await, "my token is …");
    assert!(resolve(&evil, "panic", "").await.is_err());
    assert_eq!(told().await, "my token is …");
    evil.configure(json!({ "token": "tok" })).await.unwrap();
    assert_eq!(told().await, "my token is tok");
}

#[tokio::test]
async fn its_calls_run_beside_each_other() {
    let (_plugins, evil) = evil().await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let evil = Arc::clone(&evil);
            tokio::spawn(async move { resolve(&evil, "good", "").await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn what_is_no_such_component_is_left_alone() {
    let whole = component("slipway-plugin-billing-hourly");
    let native = built::shipped_library("billing-hourly");
    for (bytes, expected) in [
        (&b"\0asm\x01\0\0\0"[..], "not a WebAssembly component"),
        (&native[..], "not a WebAssembly component"),
        (&b"\0asm\x0d\0\x01\0"[..], "known here"),
        (&whole[..whole.len() / 2], "cannot be loaded"),
    ] {
        let plugins = Plugins::none().with_library("broken", "billing", bytes).append_to_manifest("broken", "form = \"wasm\"\n");
        let host = plugins.open_with(apart()).await;
        assert!(reason(&host).contains(expected), "{}", reason(&host));
    }
    // And a component that calls itself native.
    let plugins = Plugins::none().with_library("broken", "billing", &whole);
    assert!(reason(&plugins.open_with(apart()).await).contains("no ELF"));
}

#[tokio::test]
async fn a_component_that_changed_after_it_was_approved_is_left_alone() {
    let plugins = Plugins::none().with_component("slipway-plugin-billing-hourly", "billing", "billing");
    let digest = only(&plugins.open_with(apart()).await).library_sha256().to_owned();
    let path = plugins.path().join("billing/it.so");
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(0);
    fs::write(&path, bytes).unwrap();
    let host = plugins.open_with(Options { approved: [("billing".to_owned(), digest)].into(), ..apart() }).await;
    assert!(reason(&host).contains("was approved"), "{}", reason(&host));
}
