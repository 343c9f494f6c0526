//! A plugin that was built against the first version of the C interface and of the messages loads, and is understood in both
//! directions. Its source (`first-version/`) has them written down and depends on none of our crates.

mod built;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use built::{Plugins, only};
use serde_json::json;
use slipway_plugin_host::{
    CallError,
    messages::{
        ApplicationRoute, Backend, IngressRequest, LaunchRequest, RateRequest, Request, ResolveRequest, RouteTable, RuntimeRequest,
        UsagePeriod,
    },
};

/// Built once per test program, as its author did.
static LIBRARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let here = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("first-version");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.args(["build", "--quiet", "--manifest-path"]).arg(here.join("tests/first-version/Cargo.toml")).env("CARGO_TARGET_DIR", &target);
    assert!(cargo.status().unwrap().success(), "it does not build");
    fs::read(target.join("debug/libfirst_version_plugin.so")).unwrap()
});

/// Under the manifest of that time: every field that it had, and no other.
fn plugin(kind: &str) -> Plugins {
    let plugins = Plugins::none();
    let directory = plugins.directory("first");
    fs::write(directory.join("it.so"), &*LIBRARY).unwrap();
    let manifest = format!(
        "id = \"first\"\nname = \"First\"\nversion = \"1.0.0\"\nkind = {kind:?}\ndescription = \"Of the first version.\"\n\
         message_versions = [1, 1]\nlibrary = \"it.so\"\n[settings_schema]\ntype = \"object\"\n"
    );
    fs::write(directory.join("plugin.toml"), manifest).unwrap();
    plugins
}

#[tokio::test]
async fn a_runtime_of_the_first_version_answers_every_question() {
    let plugins = plugin("runtime");
    let first = only(&plugins.open().await);
    assert_eq!(first.message_version(), 1);
    first.configure(json!({ "colour": "blue" })).await.unwrap();
    let Err(CallError::Refused(refusal)) = first.configure(json!({ "colour": "green" })).await else { panic!("it should be refused") };
    assert_eq!((refusal.code.as_str(), refusal.fix.as_deref()), ("GREEN", Some("take blue")));

    let description = first.runtime_describe().await.unwrap();
    assert_eq!((description.slug.as_str(), description.versions[0].run_image.as_str()), ("first", "first:1"));
    assert_eq!(description.versions[0].end_of_life, Some("2030-01-01T00:00:00Z".parse().unwrap()));
    let resolve = |constraint: &str| ResolveRequest { tool: "first".into(), constraint: constraint.into() };
    assert_eq!(first.runtime_resolve(resolve("1")).await.unwrap().build_image, "first:1");
    assert!(matches!(first.runtime_resolve(resolve("99")).await, Err(CallError::Refused(refusal)) if refusal.fix.is_none()));
    let launched = first.runtime_launch(LaunchRequest { memory_bytes: 7, cpu_millis: 8, version: "9".into() }).await.unwrap();
    let values: Vec<_> = launched.env.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["7", "8", "9"]);
    assert_eq!(first.stats().strikes, 0);
}

#[tokio::test]
async fn a_billing_of_the_first_version_rates_as_it_did() {
    let plugins = plugin("billing");
    let first = only(&plugins.open().await);
    // As a message, so that fields which have come since are left to their defaults.
    let usage: UsagePeriod = serde_json::from_value(
        json!({ "key": "ins_1", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z", "hourly_rate": "0.012" }),
    )
    .unwrap();
    let request: RateRequest = serde_json::from_value(json!({ "currency": "EUR", "usage": [usage] })).unwrap();
    let charges = first.billing_rate(request).await.unwrap();
    assert_eq!((charges[0].key.as_str(), charges[0].amount.to_string().as_str()), ("ins_1", "0.012"));
    assert_eq!(charges[0].description, "2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z in EUR");
}

#[tokio::test]
async fn an_ingress_of_the_first_version_renders_as_it_did() {
    let plugins = plugin("ingress");
    let first = only(&plugins.open().await);
    assert!(first.manifest().proxy.is_none(), "its routes are for Traefik");
    let route = ApplicationRoute {
        application: "app_1".into(),
        revision: "r1".into(),
        hostnames: vec!["a.example".into(), "b.example".into()],
        backends: vec![Backend { instance: "ins_1".into(), port: 80 }],
        tls: true,
    };
    let rendered = first.ingress_render(RouteTable { applications: vec![route] }).await.unwrap();
    assert_eq!(rendered.files[0].content, "a.example b.example -> @ins_1@:80 tls=true");
    assert_eq!(first.ingress_check_domain("*.example").await.unwrap().as_deref(), Some("*.example is a wildcard"));
    assert_eq!(first.ingress_check_domain("a.example").await.unwrap(), None);
}

/// The words themselves, which plugins in other languages are written against too.
#[test]
fn questions_are_worded_as_in_the_first_version() {
    let worded = |request: Request| serde_json::to_value(request).unwrap();
    assert_eq!(worded(Request::Configure(json!({ "a": 1 }))), json!({ "to": "configure", "ask": { "a": 1 } }));
    assert_eq!(worded(Request::Runtime(RuntimeRequest::Describe)), json!({ "to": "runtime", "ask": "describe" }));
    let resolve = Request::Runtime(RuntimeRequest::Resolve(ResolveRequest { tool: "node".into(), constraint: "22".into() }));
    assert_eq!(worded(resolve), json!({ "to": "runtime", "ask": { "resolve": { "tool": "node", "constraint": "22" } } }));
    let check = Request::Ingress(IngressRequest::CheckDomain { hostname: "a.example".into() });
    assert_eq!(worded(check), json!({ "to": "ingress", "ask": { "check_domain": { "hostname": "a.example" } } }));
}
