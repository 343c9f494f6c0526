//! `slipway buildpack`, as a stranger uses it: by the binary, outside of the checkout.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// Kept between runs, so that a project's dependencies are compiled once.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn checkout() -> PathBuf {
    // Of the checkout that cargo runs this for: checkouts may share a target directory, and with it this program.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from).join("..")
}

fn slipway(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slipway"))
        .arg("buildpack")
        .args(arguments)
        .env("CARGO_TARGET_DIR", kept("buildpacks"))
        .env("XDG_CACHE_HOME", kept("cache"))
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The report, and whether the command was content.
fn report(arguments: &[&str]) -> (bool, Value) {
    let output = slipway(&[arguments, &["--json"]].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    (output.status.success(), report)
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["report"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check `{name}`: {report:#}"))
}

fn details(check: &Value) -> String {
    let lines = check["details"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} has no `{from}`", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_new_project_passes_and_what_is_broken_in_it_is_told() {
    let place = tempfile::tempdir().unwrap();
    let project = place.path().join("my-lang");
    let directory = project.to_str().unwrap();
    let output = slipway(&["new", "my-lang", "--path", directory]);
    assert!(output.status.success() && text(&output).contains("slipway buildpack test"), "{}", text(&output));

    let (good, first) = report(&["test", directory]);
    assert!(good && first["failed"] == 0 && first["updated"] == 0, "{first:#}");
    assert!(first["passed"].as_u64().unwrap() > 20, "{first:#}");
    assert_eq!(check(&first, "plain")["about"], "fixtures");

    // Another answer than the expected one is shown as a difference, until it becomes the expected one.
    let expected = project.join("fixtures/plain/expected.json");
    replace(&expected, "\"score\": 90", "\"score\": 91");
    let output = slipway(&["test", directory]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("-      \"score\": 91") && text(&output).contains("+      \"score\": 90"), "{}", text(&output));
    let (good, updated) = report(&["test", directory, "--update"]);
    assert!(good && updated["updated"] == 1 && check(&updated, "plain")["status"] == "updated", "{updated:#}");
    fs::remove_file(&expected).unwrap();
    let (good, missing) = report(&["test", directory]);
    assert!(!good && details(check(&missing, "plain")).contains("--update"), "{missing:#}");

    // A buildpack that trusts what it reads fails on trees that nobody expects, in its own words.
    replace(
        &project.join("src/lib.rs"),
        ".map(|text| parse_toml(\"MY_LANG_MANIFEST_INVALID\", MANIFEST, &text)).transpose()",
        ".map(|text| {\n        assert!(text.lines().count() > 0, \"a manifest says something\");\n        parse_toml(\"MY_LANG_MANIFEST_INVALID\", MANIFEST, &text)\n    }).transpose()",
    );
    let (good, trusting) = report(&["test", directory, "--update"]);
    let empty = check(&trusting, "an empty file");
    assert!(!good && empty["status"] == "failed" && details(empty).contains("a manifest says something"), "{trusting:#}");
    assert_eq!(check(&trusting, "a file cut in half")["status"], "passed");

    // What does not compile is left to the compiler to explain.
    replace(&project.join("src/lib.rs"), "use serde::Deserialize;", "use serde::Serious;");
    let output = slipway(&["test", directory]);
    assert!(text(&output).contains("Serious") && text(&output).contains("the build failed"), "{}", text(&output));
}

#[test]
fn the_plugin_of_a_new_project_compiles_and_its_own_tests_pass() {
    let place = tempfile::tempdir().unwrap();
    let project = place.path().join("my-lang");
    assert!(slipway(&["new", "my-lang", "--path", project.to_str().unwrap()]).status.success());
    for directory in [project.clone(), project.join("plugin")] {
        let mut cargo = Command::new(env!("CARGO"));
        let output = cargo.current_dir(&directory).args(["test", "--quiet"]).env("CARGO_TARGET_DIR", kept("natively")).output().unwrap();
        assert!(output.status.success(), "{}: {}", directory.display(), text(&output));
    }
}

#[test]
fn names_that_cannot_be_and_folders_that_are_there_are_refused_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let there = place.path().to_str().unwrap();
    for (arguments, said) in [
        (&["new", "My Lang"][..], "slipway buildpack new my-lang"),
        (&["new", "node"], "ships with Slipway"),
        (&["new", "elm", "--path", there], "exists already"),
        (&["test", "/nowhere"], "there is no /nowhere"),
        (&["test", there], "has no buildpack.toml"),
    ] {
        let output = slipway(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output).contains(said) && text(&output).contains("try: "), "{arguments:?}: {}", text(&output));
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn what_a_buildpack_must_not_do_is_found() {
    let fixtures = tempfile::tempdir().unwrap();
    for behaviour in ["ambient", "file-times", "trap", "well"] {
        let app = fixtures.path().join(behaviour).join("app");
        fs::create_dir_all(&app).unwrap();
        fs::write(app.join("behaviour"), behaviour).unwrap();
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(checkout()).args(["build", "--quiet", "--profile", "wasm", "--target", "wasm32-wasip2"]);
    let output = cargo.args(["-p", "slipway-hostile-buildpack"]).env("CARGO_TARGET_DIR", kept("hostile")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let component = kept("hostile").join("wasm32-wasip2/wasm/slipway_hostile_buildpack.wasm");

    let (good, report) = report(&["test", component.to_str().unwrap(), "--fixtures", fixtures.path().to_str().unwrap(), "--update"]);
    assert!(!good, "{report:#}");
    let of = |name: &str| check(&report, name);
    assert_eq!((&of("loads")["status"], &of("imports")["status"]), (&"passed".into(), &"passed".into()), "{report:#}");
    assert!(details(of("trap")).contains("I give up"), "{report:#}");
    let rules = details(of("well"));
    assert!(
        of("well")["message"] == "the plan breaks the rules" && rules.contains("image.user") && rules.contains("image.base"),
        "{rules}"
    );
    assert_eq!(of("again")["status"], "passed", "the same circumstances give the same answer");
    assert!(of("elsewhere")["status"] == "failed" && details(of("elsewhere")).contains("file-times"), "{report:#}");
    assert!(of("elsewhen")["status"] == "failed" && details(of("elsewhen")).contains("ambient"), "{report:#}");
}

#[test]
fn a_file_that_is_no_buildpack_is_told_apart() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("x.wasm");
    fs::write(&file, b"\0asm\x0d\0\x01\0").unwrap();
    let (good, report) = report(&["test", file.to_str().unwrap()]);
    assert!(!good && check(&report, "loads")["message"].as_str().unwrap().contains("not a buildpack"), "{report:#}");
}

#[test]
fn the_go_example_passes() {
    let example = checkout().join("examples/buildpack-go");
    let (good, report) = report(&["test", example.to_str().unwrap()]);
    assert!(good && report["failed"] == 0, "{report:#}");
}
