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
    ] {
        let resolution = resolve(constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
        assert_eq!(resolution.version, version, "{constraint:?}");
        assert_eq!(resolution.build_image, format!("python:{version}-slim"));
        assert_eq!(resolution.run_image, resolution.build_image);
        assert!(!resolution.notices.iter().any(|notice| notice.contains("certain releases")), "{constraint:?}: {:?}", resolution.notices);
    }
}

#[test]
fn an_exact_release_gets_its_line_with_a_notice() {
    for (exact, version) in [
        ("3.11.4", "3.11"),
        ("==3.11.4", "3.11"),
        ("python-3.11.4", "3.11"),
        ("==3.13", "3.13"),
        (">=3.13,<3.13.5", "3.13"),
        ("=3.13.2", "3.13"),
    ] {
        let resolution = resolve(exact).unwrap();
        assert_eq!(resolution.version, version, "{exact}");
        assert!(resolution.notices[0].contains("carries the newest release"), "{exact}: {:?}", resolution.notices);
    }
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    for constraint in ["2.7", "3.10", "3.12", "==3.12.*", ">=3.14", "<3.11", "^2.7", "~3.12", "^4", "3.14.0rc1", "3.8 || 3.9"] {
        let error = resolve(constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNAVAILABLE", "{constraint}");
        assert!(error.message.contains("3.11, 3.13"), "{}", error.message);
        assert!(error.fix.unwrap().contains("requires-python"));
    }
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
}
