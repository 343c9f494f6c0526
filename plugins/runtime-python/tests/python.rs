//! Which Python an application gets, and how it is started.

use proptest::prelude::*;
use slipway_plugin_runtime_python::Python;
use slipway_plugin_sdk::{LaunchRequest, PluginError, Resolution, ResolveRequest, RuntimePlugin};

fn resolve(constraint: &str) -> Result<Resolution, PluginError> {
    Python.resolve(ResolveRequest { tool: "python".into(), constraint: constraint.into() })
}

#[test]
fn a_range_gets_the_default_line_if_it_may_and_else_the_newest_that_fits() {
    for (constraint, version) in [
        ("", "3.13"),
        ("*", "3.13"),
        ("3", "3.13"),
        (">=3.8", "3.13"),
        (">= 3.8", "3.13"),
        (">=3.11,<3.14", "3.13"),
        (">=3.11, <3.14", "3.13"),
        (">=3.11 <3.14", "3.13"),
        ("^3.11", "3.13"),
        ("~=3.11", "3.13"),
        ("~3.13", "3.13"),
        (">=3.9,!=3.12.*", "3.13"),
        ("3.13", "3.13"),
        ("3.11", "3.11"),
        ("3.11.*", "3.11"),
        ("3.11.x", "3.11"),
        ("==3.11.*", "3.11"),
        ("~3.11", "3.11"),
        ("~=3.11.0", "3.11"),
        ("<3.13", "3.11"),
        (">=3.8,<3.12", "3.11"),
        (">=3.10,!=3.13.*", "3.11"),
        ("3.9 || 3.11", "3.11"),
        ("^3.9 || ^4.0", "3.13"),
        ("3.12", "3.12"),
        ("~3.12", "3.12"),
        ("3.10", "3.10"),
        ("<3.11", "3.10"),
        ("<3.10", "3.9"),
        ("3.8 || 3.9", "3.9"),
        (">=3.14", "3.14"),
        (">=3.15", "3.15"),
        ("==2.*", "2.7"),
        ("^2.7", "2.7"),
    ] {
        let resolution = resolve(constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
        assert!(resolution.version.starts_with(&format!("{version}.")), "{constraint:?}: {}", resolution.version);
        assert_eq!(resolution.build_image, format!("python:{version}-slim"), "{constraint:?}");
        assert_eq!(resolution.run_image, resolution.build_image);
        assert!(!resolution.notices.iter().any(|notice| notice.contains("certain releases")), "{constraint:?}: {:?}", resolution.notices);
    }
}

#[test]
fn an_exact_release_is_named_with_its_lines_image_and_a_notice() {
    for (exact, version) in [
        ("3.11.4", "3.11.4"),
        ("==3.11.4", "3.11.4"),
        ("python-3.11.4", "3.11.4"),
        ("==3.13", "3.13.0"),
        (">=3.13,<3.13.5", "3.13.4"),
        ("=3.13.2", "3.13.2"),
    ] {
        let resolution = resolve(exact).unwrap();
        assert_eq!(resolution.version, version, "{exact}");
        assert_eq!(resolution.run_image, format!("python:{}-slim", &version[..4]));
        assert!(resolution.notices[0].contains("carries the newest release"), "{exact}: {:?}", resolution.notices);
    }
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    for constraint in ["2.6", "3.2", "==3.3.*", ">=99", "<2.7", "^4", "~3.99", "3.14.0rc1", ">3.13,<3.12"] {
        let error = resolve(constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNAVAILABLE", "{constraint}");
        assert!(error.message.contains("there is 2.7 to 3."), "{}", error.message);
        let fix = error.fix.unwrap();
        assert!(fix.contains("requires-python") && fix.contains("3.11, 3.12, 3.13"), "{fix}");
    }
}

#[test]
fn a_version_that_never_was_is_refused_with_its_neighbours() {
    for (constraint, nearest) in [
        ("3.8.99", "3.8.20 or 3.9.0"),
        ("python-3.8.99", "3.8.20 or 3.9.0"),
        ("3.7.18", "3.7.17 or 3.8.0"),
        ("2.8", "2.7 or 3.4"),
        ("==2.8.*", "2.7 or 3.4"),
    ] {
        let error = resolve(constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNKNOWN", "{constraint}");
        assert!(error.message.ends_with(&format!("the nearest is {nearest}")), "{}", error.message);
    }
    for constraint in ["3.99", "3.99.0", "4"] {
        assert_eq!(resolve(constraint).unwrap_err().code, "VERSION_UNKNOWN", "{constraint}");
    }
}

#[test]
fn an_ended_line_is_given_with_a_notice() {
    let resolution = resolve("3.7").unwrap();
    assert_eq!((resolution.version.as_str(), resolution.run_image.as_str()), ("3.7.17", "python:3.7-slim"));
    assert!(resolution.notices[0].contains("no security fixes since 2023-06-27"), "{:?}", resolution.notices);
}

#[test]
fn what_is_no_constraint_is_refused() {
    for text in ["banana", "pypy3.9", ">=", "^", "~", "3.11;python_version", "$(id)", "|| |", "==3.x", &"9".repeat(300)] {
        assert_eq!(resolve(text).unwrap_err().code, "CONSTRAINT_INVALID", "{text:?}");
    }
}

#[test]
fn another_tool_is_refused() {
    let error = Python.resolve(ResolveRequest { tool: "node".into(), constraint: "22".into() }).unwrap_err();
    assert_eq!(error.code, "UNKNOWN_TOOL");
}

#[test]
fn the_description_has_one_default() {
    let description = Python.describe().unwrap();
    let defaults: Vec<_> = description.versions.iter().filter(|version| version.is_default).map(|version| &version.version).collect();
    assert_eq!(defaults, ["3.13"]);
    let lines: Vec<_> = description.versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(lines, ["3.11", "3.12", "3.13", "3.14", "3.15"], "those that have not ended");
    assert_eq!(description.slug, "python");
}

#[test]
fn workers_are_as_many_as_the_memory_and_the_cores_can_feed() {
    for (mib, cpu_millis, workers) in [(128, 250, "1"), (512, 500, "2"), (1024, 1000, "3"), (1024, 2000, "4"), (65_536, 4000, "9")] {
        let request = LaunchRequest { memory_bytes: mib * 1024 * 1024, cpu_millis, version: "3.13".into() };
        let env = Python.launch(request).unwrap().env;
        assert!(env.contains(&("PYTHONUNBUFFERED".into(), "1".into())));
        assert!(env.contains(&("WEB_CONCURRENCY".into(), workers.into())), "{mib} MiB, {cpu_millis}: {env:?}");
    }
    let none = LaunchRequest { memory_bytes: 0, cpu_millis: i64::MAX, version: "3.13".into() };
    assert_eq!(Python.launch(none).unwrap_err().code, "SIZE_INVALID");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// A panic would be a strike against the plugin, and the text is a customer's.
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", like in "[0-9v^~<>=!|,. x*arc+-]{0,40}") {
        let _ = resolve(&text);
        let _ = resolve(&like);
    }

    /// `pep440_rs` itself is the judge.
    #[test]
    fn what_is_named_satisfies_the_specifiers_and_nothing_newer_of_its_line_does(text in specifiers()) {
        let wanted: pep440_rs::VersionSpecifiers = text.parse().unwrap();
        let satisfies = |version: &str| wanted.contains(&version.parse().unwrap());
        let versions: serde_json::Value = serde_json::from_str(include_str!("../versions.json")).unwrap();
        let releases = |line: &serde_json::Value| -> Vec<String> { serde_json::from_value(line["releases"].clone()).unwrap() };
        let lines: Vec<_> = versions["lines"].as_array().unwrap().iter().filter(|line| line["image"].is_string()).collect();
        match resolve(&text) {
            Ok(resolution) => {
                let line = lines.iter().find(|line| line["image"] == resolution.run_image).unwrap();
                match releases(line).into_iter().rev().find(|release| satisfies(release)) {
                    Some(newest) => prop_assert_eq!(resolution.version, newest),
                    // Taken to come.
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

fn specifiers() -> impl Strategy<Value = String> {
    let version = prop_oneof![
        (2u64..5, 0u64..18).prop_map(|(major, minor)| format!("{major}.{minor}")),
        (2u64..5, 0u64..18, 0u64..25).prop_map(|(major, minor, patch)| format!("{major}.{minor}.{patch}")),
    ];
    let ordered = (prop_oneof![Just("~="), Just(">="), Just(">"), Just("<"), Just("<="), Just("=="), Just("!=")], version.clone());
    let one = prop_oneof![
        ordered.prop_map(|(operator, version)| format!("{operator}{version}")),
        (prop_oneof![Just("=="), Just("!=")], version).prop_map(|(operator, version)| format!("{operator}{version}.*")),
    ];
    prop::collection::vec(one, 1..4).prop_map(|all| all.join(","))
}
