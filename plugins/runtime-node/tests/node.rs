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
        (">=20,<23", "22"),
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
        ("18", "18"),
        ("16.x", "16"),
        ("^18 || ^19", "18"),
        ("<20", "18"),
        ("25 || 26", "26"),
        (">=25", "26"),
        ("8.x", "8"),
        ("<4", "0.12"),
        ("0.10", "0.10"),
        ("~0.10.33", "0.10"),
        ("0.11.x", "0.11"),
    ] {
        let resolution = resolve(constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
        assert!(resolution.version.starts_with(&format!("{version}.")), "{constraint:?}: {}", resolution.version);
        assert_eq!(resolution.build_image, format!("node:{version}-slim"), "{constraint:?}");
        assert_eq!(resolution.run_image, resolution.build_image);
    }
}

#[test]
fn aliases_of_version_managers_are_known() {
    for (alias, version) in [
        ("latest", "24"),
        ("node", "24"),
        ("lts/*", "24"),
        ("lts/iron", "20"),
        ("lts/Jod", "22"),
        ("lts/krypton", "24"),
        ("lts/hydrogen", "18"),
        ("lts/dubnium", "10"),
    ] {
        assert_eq!(resolve(alias).unwrap().run_image, format!("node:{version}-slim"), "{alias}");
    }
}

#[test]
fn an_exact_release_is_named_with_its_lines_image_and_a_notice() {
    for (exact, version) in
        [("22.3.0", "22.3.0"), ("v22.3.0", "22.3.0"), ("=22.3.0", "22.3.0"), ("~22.4.0", "22.4.1"), (">=22.0.0 <22.5.0", "22.4.1")]
    {
        let resolution = resolve(exact).unwrap();
        assert_eq!((resolution.version.as_str(), resolution.run_image.as_str()), (version, "node:22-slim"), "{exact}");
        assert_eq!(resolution.notices.len(), 1, "{exact}");
        assert!(resolution.notices[0].contains("node:22-slim carries the newest release of 22"), "{}", resolution.notices[0]);
    }
}

#[test]
fn an_ended_line_is_given_with_a_notice() {
    for (constraint, version, ended) in
        [("18", "18.20.8", "2025-04-30"), ("lts/gallium", "16.20.2", "2023-09-11"), ("14.15.3", "14.15.3", "2023-04-30")]
    {
        let resolution = resolve(constraint).unwrap();
        assert_eq!(resolution.version, version);
        let last = resolution.notices.last().unwrap();
        assert!(last.contains("no security fixes since") && last.contains(ended), "{last}");
    }
}

#[test]
fn a_release_newer_than_the_data_is_given_with_the_lines_image() {
    let newest = resolve("26").unwrap().version;
    let [_, minor, _] = newest.split('.').map(|part| part.parse::<u64>().unwrap()).collect::<Vec<_>>()[..] else { panic!("{newest}") };
    let next = format!("26.{}.0", minor + 1);
    let resolution = resolve(&next).unwrap();
    assert_eq!((resolution.version.as_str(), resolution.run_image.as_str()), ("26", "node:26-slim"));
    assert!(resolution.notices.iter().any(|notice| notice.contains("was known") && notice.contains(&next)), "{:?}", resolution.notices);
}

#[test]
fn a_version_that_never_was_is_refused_with_its_neighbours() {
    for (constraint, nearest) in [
        ("23.99.0", "23.11.1 or 24.0.0"),
        ("v23.99.0", "23.11.1 or 24.0.0"),
        ("18.20.9", "18.20.8 or 19.0.0"),
        ("22.3.7", "22.3.0 or 22.4.0"),
        ("1.2.3", "0.12.18 or 4.0.0"),
    ] {
        let error = resolve(constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNKNOWN", "{constraint}");
        assert!(error.message.ends_with(&format!("the nearest is {nearest}")), "{}", error.message);
        assert!(error.fix.unwrap().ends_with(&format!("to {nearest}")));
    }
    assert_eq!(code("99"), "VERSION_UNKNOWN");
    assert_eq!(code("100.x"), "VERSION_UNKNOWN");
}

#[test]
fn a_line_that_fits_whole_goes_before_one_that_fits_in_part() {
    assert_eq!(resolve(">=20 <22.5").unwrap().run_image, "node:20-slim");
    assert_eq!(resolve("18 || 22.3.0").unwrap().version, "22.3.0", "but no line that has ended");
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    for constraint in ["<0.8", "^99", ">=99", "^22.99", "22.0.0-rc.1 - 22.0.0-rc.2", ">22 <21", "20 22"] {
        let error = resolve(constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNAVAILABLE", "{constraint}");
        assert!(error.message.contains("there is 0.8 to ") && error.message.contains(constraint), "{}", error.message);
        let fix = error.fix.unwrap();
        assert!(fix.contains("engines.node") && fix.contains("22, 24"), "{fix}");
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
    let lines: Vec<_> = description.versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(lines, ["22", "24", "26"], "those that have not ended");
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

    /// `node_semver` itself is the judge.
    #[test]
    fn what_is_named_satisfies_the_range_and_nothing_newer_of_its_line_does(range in ranges()) {
        let meets = |version: &str, one: &String| {
            node_semver::Version::parse(version).unwrap().satisfies(&node_semver::Range::parse(one).unwrap())
        };
        let satisfies = |version: &str| range.iter().any(|all| all.iter().all(|one| meets(version, one)));
        let range = range.iter().map(|all| all.join(" ")).collect::<Vec<_>>().join(" || ");
        let versions: serde_json::Value = serde_json::from_str(include_str!("../versions.json")).unwrap();
        let releases = |line: &serde_json::Value| -> Vec<String> { serde_json::from_value(line["releases"].clone()).unwrap() };
        let lines: Vec<_> = versions["lines"].as_array().unwrap().iter().filter(|line| line["image"].is_string()).collect();
        match resolve(&range) {
            Ok(resolution) => {
                let line = lines.iter().find(|line| line["image"] == resolution.run_image).unwrap();
                let newest = releases(line).into_iter().rev().find(|release| satisfies(release));
                match newest {
                    Some(newest) => prop_assert_eq!(resolution.version, newest),
                    // Taken to exist, or to come.
                    None => prop_assert!(!resolution.notices.is_empty()),
                }
            }
            Err(error) => {
                prop_assert!(error.code.starts_with("VERSION_"), "{}", error);
                prop_assert!(!lines.iter().flat_map(|line| releases(line)).any(|release| satisfies(&release)));
            }
        }
    }
}

/// Alternatives of comparators.
fn ranges() -> impl Strategy<Value = Vec<Vec<String>>> {
    let version = prop_oneof![
        (0u64..30).prop_map(|major| major.to_string()),
        (0u64..30).prop_map(|major| format!("{major}.x")),
        (0u64..30, 0u64..25).prop_map(|(major, minor)| format!("{major}.{minor}")),
        (0u64..30, 0u64..25, 0u64..5).prop_map(|(major, minor, patch)| format!("{major}.{minor}.{patch}")),
    ];
    let one = (prop_oneof![Just(""), Just("^"), Just("~"), Just(">="), Just(">"), Just("<"), Just("<="), Just("=")], version)
        .prop_map(|(operator, version)| format!("{operator}{version}"));
    let hyphened = (0u64..30, 0u64..25, 1u64..9).prop_map(|(major, minor, more)| vec![format!("{major}.{minor}.0 - {}", major + more)]);
    let part = prop_oneof![prop::collection::vec(one, 1..3), hyphened];
    prop::collection::vec(part, 1..4)
}
