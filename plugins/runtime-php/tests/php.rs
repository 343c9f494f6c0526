//! Which PHP and which Composer an application gets.

use proptest::prelude::*;
use slipway_plugin_runtime_php::Php;
use slipway_plugin_sdk::{LaunchRequest, PluginError, Resolution, ResolveRequest, RuntimePlugin};

fn resolve(tool: &str, constraint: &str) -> Result<Resolution, PluginError> {
    Php.resolve(ResolveRequest { tool: tool.into(), constraint: constraint.into() })
}

#[test]
fn constraints_that_allow_any_8_2_get_it() {
    for constraint in [
        "",
        "*",
        "^8.1",
        "^8",
        "^8.2",
        ">=8.0",
        ">= 8.0",
        ">=7.4",
        "8.2.*",
        "8.*",
        "8.2.x",
        "~8.1",
        "~8.2.0",
        ">=8.1 <8.4",
        ">=8.1,<8.3",
        "^7.4 || ^8.0",
        "^7.4|^8.0",
        "8.0 - 8.2",
        "<8.3",
        "!=8.1.*",
        ">=8.1 !=8.1.*",
        "^8.1@stable",
        "v8.2.*",
        ">8.1",
        "<=8.2.*",
        "^8.2.0",
    ] {
        let resolution = resolve("php", constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
        assert_eq!(resolution.version, "8.2");
        assert_eq!((resolution.build_image.as_str(), resolution.run_image.as_str()), ("php:8.2-apache", "php:8.2-apache"));
        assert!(resolution.notices.is_empty(), "{constraint:?}: {:?}", resolution.notices);
    }
}

#[test]
fn an_exact_release_gets_its_line_with_a_notice() {
    for exact in ["8.2.5", "8.2", "=8.2.5", "<=8.2", "8.1.0 - 8.2.9", "<8.2.9", "8.2.5.0"] {
        let resolution = resolve("php", exact).unwrap_or_else(|error| panic!("{exact:?}: {error}"));
        assert!(resolution.notices[0].contains("carries the newest release of 8.2"), "{exact}: {:?}", resolution.notices);
    }
}

#[test]
fn another_line_is_given_where_the_default_may_not_be() {
    for (constraint, version) in [
        ("^7.4", "7.4"),
        ("~8.1.3", "8.1"),
        ("8.1.*", "8.1"),
        (">=8.3", "8.3"),
        (">8.2.*", "8.3"),
        ("<8.2", "8.1"),
        ("^8.3", "8.3"),
        ("~8.3.0", "8.3"),
        ("7.4 - 8.1", "8.1"),
        ("!=8.2.*", "8.3"),
        ("8.3.*|8.4.*", "8.3"),
        (">=8.5", "8.5"),
        ("^7.1.3", "7.4"),
        ("8.1.5", "8.1"),
    ] {
        let resolution = resolve("php", constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
        assert_eq!(resolution.version, version, "{constraint}");
        assert_eq!(resolution.run_image, format!("php:{version}-apache"));
    }
    assert!(resolve("php", "7.4.*").unwrap().notices[0].contains("no security fixes since 2022-11-28"));
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    for constraint in ["^9", "^5.6", "5.6", "5.6.*", "<7.0", "^0.8", ">8.4 <8.3"] {
        let error = resolve("php", constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNAVAILABLE", "{constraint}");
        assert!(error.message.contains("there is 7.0 to 8.5"), "{}", error.message);
        let fix = error.fix.unwrap();
        assert!(fix.contains("require.php") && fix.contains("8.2, 8.3"), "{fix}");
    }
}

#[test]
fn a_version_that_never_was_is_refused_with_its_neighbours() {
    for (constraint, nearest) in [("7.9", "7.4 or 8.0"), ("7.9.*", "7.4 or 8.0"), ("8.99.1", "8.5"), ("6.0", "7.0")] {
        let error = resolve("php", constraint).unwrap_err();
        assert_eq!(error.code, "VERSION_UNKNOWN", "{constraint}");
        assert!(error.message.ends_with(&format!("the nearest is {nearest}")), "{}", error.message);
    }
}

#[test]
fn only_lines_that_have_not_ended_are_offered() {
    let lines: Vec<_> = Php.describe().unwrap().versions.into_iter().map(|version| version.version).collect();
    assert_eq!(lines, ["8.2", "8.3", "8.4", "8.5"]);
}

#[test]
fn what_is_no_constraint_is_refused() {
    for text in ["banana", "dev-main", ">=", "^", "8..2", "8.2.", ">>8", "8.*.2", "8 ||", "||", "$(id)", "8.2; rm", "99999999999999999999"]
    {
        assert_eq!(resolve("php", text).unwrap_err().code, "CONSTRAINT_INVALID", "{text:?}");
    }
}

#[test]
fn composer_is_a_tool_of_its_own() {
    for constraint in ["", "*", "2", "^2", "^2.2", "~2.2", "2.*", ">=2.0"] {
        let resolution = resolve("composer", constraint).unwrap_or_else(|error| panic!("{constraint:?}: {error}"));
        assert_eq!((resolution.version.as_str(), resolution.build_image.as_str()), ("2", "composer:2"));
    }
    assert!(resolve("composer", "2.7.1").unwrap().notices[0].contains("composer:2"));
    assert_eq!(resolve("composer", "^1.10").unwrap_err().code, "VERSION_UNAVAILABLE");
}

#[test]
fn another_tool_is_refused() {
    assert_eq!(resolve("node", "22").unwrap_err().code, "UNKNOWN_TOOL");
}

#[test]
fn the_description_names_both_tools() {
    let description = Php.describe().unwrap();
    assert_eq!(description.tools, ["php", "composer"]);
    assert_eq!(description.versions.iter().filter(|version| version.is_default).count(), 1);
}

#[test]
fn an_instance_without_memory_is_refused() {
    let launch = |memory_bytes| Php.launch(LaunchRequest { memory_bytes, cpu_millis: 500, version: "8.2".into() });
    assert!(launch(256 * 1024 * 1024).unwrap().env.is_empty());
    assert_eq!(launch(0).unwrap_err().code, "SIZE_INVALID");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// A panic would be a strike against the plugin, and the text is a customer's.
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", like in "[0-9v^~<>=!|,. x*@-]{0,40}") {
        let _ = resolve("php", &text);
        let _ = resolve("composer", &like);
    }
}
