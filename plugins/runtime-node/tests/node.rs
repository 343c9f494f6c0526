//! Which Node.js an application gets, and how it is started.

use proptest::prelude::*;
use slipway_plugin_runtime_node::Node;
use slipway_plugin_sdk::{LaunchRequest, PluginError, Resolution, ResolveRequest, RuntimePlugin};

fn resolve(constraint: &str) -> Result<Resolution, PluginError> {
    Node.resolve(ResolveRequest { tool: "node".into(), constraint: constraint.into() })
}

fn code(constraint: &str) -> String {
    resolve(constraint).unwrap_err().code
}

#[test]
fn a_range_gets_the_default_line_if_it_may_and_else_the_newest_that_fits() {
    for (constraint, version) in [
        ("", "22"),
        ("*", "22"),
        ("22", "22"),
        ("v22", "22"),
        ("22.x", "22"),
        ("22.x.x", "22"),
        ("^22", "22"),
        ("~22", "22"),
        (">=20", "22"),
        (">= 20", "22"),
        (">=20 <23", "22"),
        (">=18.0.0", "22"),
        (">=22.3.0 <23", "22"),
        ("^22.12.0", "22"),
        ("20", "20"),
        ("20.x", "20"),
        ("<22", "20"),
        ("^18 || ^20", "20"),
        ("^18.18.0 || ^20.9.0 || >=21.1.0", "22"),
        ("18 - 20", "20"),
        ("24", "24"),
        (">22", "24"),
        (">=23", "24"),
        (">22.99999", "24"),
        (" 22 ", "22"),
    ] {
        let resolution = resolve(constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
        assert_eq!(resolution.version, version, "{constraint:?}");
        assert_eq!(resolution.build_image, format!("node:{version}-slim"));
        assert_eq!(resolution.run_image, resolution.build_image);
    }
}

#[test]
fn aliases_of_version_managers_are_known() {
    for (alias, version) in
        [("latest", "24"), ("node", "24"), ("lts/*", "24"), ("lts/iron", "20"), ("lts/Jod", "22"), ("lts/krypton", "24")]
    {
        assert_eq!(resolve(alias).unwrap().version, version, "{alias}");
    }
}

#[test]
fn an_exact_release_gets_its_line_with_a_notice() {
    for exact in ["22.3.0", "v22.3.0", "=22.3.0", "~22.3.0", ">=22.0.0 <22.5.0"] {
        let resolution = resolve(exact).unwrap();
        assert_eq!(resolution.version, "22", "{exact}");
        assert_eq!(resolution.notices.len(), 1, "{exact}");
        assert!(resolution.notices[0].contains("node:22-slim carries the newest release of 22"), "{}", resolution.notices[0]);
    }
}

#[test]
fn a_line_that_fits_whole_goes_before_one_that_fits_in_part() {
    assert_eq!(resolve(">=20 <22.5").unwrap().version, "20");
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    for constraint in ["18", "23", "23.5.0", "26", ">=25", "<20", "0.10", "lts/hydrogen", "^18 || ^19", "22.0.0-rc.1 - 22.0.0-rc.2"] {
        let error = resolve(constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNAVAILABLE", "{constraint}");
        assert!(error.message.contains("20, 22, 24") && error.message.contains(constraint), "{}", error.message);
        assert!(error.fix.unwrap().contains("engines.node"));
    }
}

#[test]
fn what_is_no_constraint_is_refused() {
    for text in ["banana", "~x", "^*", ">= *", "lts/banana", "$(id)", "22; rm", "22\n23", &"9".repeat(300)] {
        assert_eq!(code(text), "CONSTRAINT_INVALID", "{text:?}");
    }
}

#[test]
fn another_tool_is_refused() {
    let error = Node.resolve(ResolveRequest { tool: "deno".into(), constraint: "2".into() }).unwrap_err();
    assert_eq!(error.code, "UNKNOWN_TOOL");
}

#[test]
fn an_old_line_says_until_when_it_is_mended() {
    assert!(resolve("20").unwrap().notices[0].contains("2026-04-30"));
    assert!(resolve("22").unwrap().notices.is_empty());
}

#[test]
fn the_description_has_one_default() {
    let description = Node.describe().unwrap();
    let defaults: Vec<_> = description.versions.iter().filter(|version| version.is_default).map(|version| &version.version).collect();
    assert_eq!(defaults, ["22"]);
    assert_eq!((description.slug.as_str(), description.tools.as_slice()), ("node", ["node".to_owned()].as_slice()));
}

#[test]
fn the_heap_is_three_quarters_of_the_memory() {
    let launch = |mib: i64| Node.launch(LaunchRequest { memory_bytes: mib * 1024 * 1024, cpu_millis: 500, version: "22".into() });
    let env = launch(512).unwrap().env;
    assert!(env.contains(&("NODE_ENV".into(), "production".into())));
    assert!(env.contains(&("NODE_OPTIONS".into(), "--max-old-space-size=384".into())));
    assert_eq!(launch(0).unwrap_err().code, "SIZE_INVALID");
    assert_eq!(launch(-1).unwrap_err().code, "SIZE_INVALID");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// A panic would be a strike against the plugin, and the text is a customer's.
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", like in "[0-9v^~<>=|. x*-]{0,40}") {
        let _ = resolve(&text);
        let _ = resolve(&like);
    }
}
