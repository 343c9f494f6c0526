//! The plugins that are shipped, as real libraries behind the real interface.

mod built;

use built::{Plugins, SHIPPED, only};
use slipway_plugin_host::{
    CallError, Kind,
    messages::{self, ApplicationRoute, Backend, LaunchRequest, RateRequest, ResolveRequest, RouteTable, UsagePeriod},
};

fn all() -> Plugins {
    SHIPPED.into_iter().fold(Plugins::none(), Plugins::with_shipped)
}

#[tokio::test]
async fn all_of_them_load_and_say_who_they_are() {
    let plugins = all();
    let host = plugins.open().await;
    assert!(host.incompatible().is_empty(), "{:?}", host.incompatible());
    let mut expected = SHIPPED;
    expected.sort_unstable();
    let loaded = host.plugins();
    assert_eq!(loaded.iter().map(|plugin| plugin.id()).collect::<Vec<_>>(), expected);
    for plugin in loaded {
        // Those of billing alone have more than the first version to say.
        assert_eq!(plugin.message_version(), if plugin.kind() == Kind::Billing { 2 } else { 1 }, "{}", plugin.id());
        assert_eq!(plugin.library_sha256().len(), 64);
        assert_eq!(plugin.buildpack().is_some(), plugin.kind() == Kind::Runtime, "{}", plugin.id());
    }
}

#[tokio::test]
async fn a_runtime_is_found_by_its_tools_and_its_slug() {
    let plugins = all();
    let host = plugins.open().await;
    for (tool, id) in [("node", "runtime-node"), ("python", "runtime-python"), ("php", "runtime-php"), ("composer", "runtime-php")] {
        assert_eq!(host.runtime_for_tool(tool).await.unwrap().id(), id);
    }
    assert!(host.runtime_for_tool("cobol").await.is_none());
    assert_eq!(host.runtime("docker").await.unwrap().id(), "runtime-docker");
    assert!(host.runtime("cobol").await.is_none());

    host.get("runtime-node").unwrap().set_enabled(false);
    assert!(host.runtime_for_tool("node").await.is_none());
    assert_eq!(host.of_kind(Kind::Runtime).len(), 3);
}

#[tokio::test]
async fn a_runtime_resolves_refuses_and_sizes_through_the_interface() {
    let plugins = Plugins::none().with_shipped("runtime-node");
    let node = only(&plugins.open().await);
    let resolve = |constraint: &str| node.runtime_resolve(ResolveRequest { tool: "node".into(), constraint: constraint.into() });
    assert_eq!(resolve(">=20 <23").await.unwrap().run_image, "node:22-slim");
    let Err(CallError::Refused(refusal)) = resolve("23.99.0").await else { panic!("23.99.0 should be refused") };
    assert_eq!(refusal.code, "VERSION_UNKNOWN");

    let size = LaunchRequest { memory_bytes: 512 << 20, cpu_millis: 500, version: "22".into() };
    let env = node.runtime_launch(size).await.unwrap().env;
    assert!(env.contains(&("NODE_OPTIONS".into(), "--max-old-space-size=384".into())));

    let stats = node.stats();
    assert_eq!((stats.calls, stats.refusals, stats.errors, stats.strikes), (3, 1, 0, 0));
}

#[tokio::test]
async fn usage_is_rated_through_the_interface() {
    let plugins = Plugins::none().with_shipped("billing-hourly");
    let billing = only(&plugins.open().await);
    let usage = |from: &str, to: &str| UsagePeriod {
        key: "ins_1".into(),
        start: from.parse().unwrap(),
        end: to.parse().unwrap(),
        hourly_rate: "0.012".parse().unwrap(),
        ..UsagePeriod::default()
    };
    let rate = |period| billing.billing_rate(RateRequest { currency: "USD".into(), usage: vec![period] });
    let charges = rate(usage("2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z")).await.unwrap();
    assert_eq!(charges[0].amount.to_string(), "0.018");
    let backwards = rate(usage("2026-01-01T01:00:00Z", "2026-01-01T00:00:00Z")).await;
    assert!(matches!(backwards, Err(CallError::Refused(refusal)) if refusal.code == "PERIOD_NEGATIVE"));
}

#[tokio::test]
async fn routes_are_rendered_with_the_settings_that_the_schema_allows() {
    let plugins = Plugins::none().with_shipped("ingress-traefik");
    let ingress = only(&plugins.open().await);
    let table = RouteTable {
        applications: vec![ApplicationRoute {
            application: "app_1".into(),
            revision: "rel_1".into(),
            hostnames: vec!["a.example".into()],
            backends: vec![Backend { instance: "ins_1".into(), port: 80 }],
            tls: false,
        }],
    };
    let before = ingress.ingress_render(table.clone()).await.unwrap();
    assert_eq!(before.files[0].name, "app_1.toml");
    assert!(before.files[0].content.contains("http://@ins_1@:80"));

    ingress.configure(serde_json::json!({ "http_entry_point": "front" })).await.unwrap();
    let after = ingress.ingress_render(table).await.unwrap();
    assert!(after.files[0].content.contains("[\"front\"]"));

    let Err(CallError::Settings { problems, .. }) = ingress.configure(serde_json::json!({ "http_entry_point": "a b" })).await else {
        panic!("a name with a space should not fit the schema")
    };
    assert_eq!(problems[0].path, "/http_entry_point", "{problems:?}");

    assert_eq!(ingress.ingress_check_domain("shop.example.org").await.unwrap(), None);
    assert!(ingress.ingress_check_domain("*.example.org").await.unwrap().is_some());
}

#[tokio::test]
async fn a_question_for_another_kind_is_not_even_asked() {
    let plugins = Plugins::none().with_shipped("billing-hourly");
    let billing = only(&plugins.open().await);
    assert!(matches!(billing.runtime_describe().await, Err(CallError::WrongKind { .. })));
    assert_eq!(billing.stats().calls, 0);
}

#[tokio::test]
async fn costs_are_quoted_accounts_judged_and_invoices_laid_out_through_the_interface() {
    let plugins = Plugins::none().with_shipped("billing-hourly");
    let billing = only(&plugins.open().await);
    let (hourly_rate, monthly_price) = ("0.012".parse().unwrap(), "8".parse().unwrap());
    let kind = messages::UsageKind::Instance;
    let quote = messages::QuoteRequest { currency: "USD".into(), hourly_rate, monthly_price, instances: 3, kind };
    let quote = billing.billing_quote(quote).await.unwrap();
    assert_eq!((quote.hourly.to_string(), quote.monthly.to_string()), ("0.036".into(), "24".into()));
    let account = |balance: &str| messages::StandingRequest {
        currency: "USD".into(),
        balance: balance.parse().unwrap(),
        credit_limit: "0".parse().unwrap(),
        hourly_cost: "1".parse().unwrap(),
    };
    for (balance, expected) in [("24", messages::Standing::Good), ("23", messages::Standing::Low), ("-1", messages::Standing::Exhausted)] {
        assert_eq!(billing.billing_standing(account(balance)).await.unwrap(), expected, "{balance}");
    }
    let item = messages::InvoiceItem {
        key: "a".into(),
        name: "Shop".into(),
        kind,
        micros: 5_400_000_000,
        hourly_rate,
        amount: "0.018".parse().unwrap(),
    };
    let request = messages::InvoiceRequest {
        currency: "USD".into(),
        customer: "Acme".into(),
        period_start: "2026-01-01T00:00:00Z".parse().unwrap(),
        period_end: "2026-02-01T00:00:00Z".parse().unwrap(),
        items: vec![item],
    };
    let layout = billing.billing_invoice(request).await.unwrap();
    assert_eq!((layout.lines[0].quantity.to_string(), layout.lines[0].amount.to_string()), ("1.5".into(), "0.018".into()));
}
