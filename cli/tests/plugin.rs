//! `slipway plugin new` and `test`, as a stranger uses them: by the binary, outside of the checkout.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use serde_json::Value;
use tempfile::TempDir;

/// Kept between runs, so that a project's dependencies are compiled once.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn checkout() -> PathBuf {
    // Of the checkout that cargo runs this for: checkouts may share a target directory, and with it this program.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from).join("..")
}

fn slipway(arguments: &[&str], fault: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slipway"))
        .arg("plugin")
        .args(arguments)
        .env("CARGO_TARGET_DIR", kept("plugins"))
        .env("FAULT", fault)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The report, and whether the command was content.
fn report(arguments: &[&str], fault: &str) -> (bool, Value) {
    let output = slipway(&[arguments, &["--json"]].concat(), fault);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    (output.status.success(), report)
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["report"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check `{name}`: {report:#}"))
}

fn failed(report: &Value) -> BTreeSet<&str> {
    let checks = report["report"]["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["status"] == "failed").map(|check| check["name"].as_str().unwrap()).collect()
}

/// What is said of a check, all of it.
fn said(check: &Value) -> String {
    let details = check["details"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    [check["message"].as_str().unwrap()].into_iter().chain(details).collect::<Vec<_>>().join("\n")
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} has no `{from}`", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_new_project_of_each_kind_passes_its_own_trial_and_its_own_tests() {
    let place = tempfile::tempdir().unwrap();
    for kind in ["runtime", "billing", "ingress"] {
        let project = place.path().join(kind);
        let directory = project.to_str().unwrap();
        let output = slipway(&["new", kind, "my-own", "--path", directory], "");
        assert!(output.status.success() && text(&output).contains("slipway plugin test"), "{}", text(&output));
        let (good, first) = report(&["test", directory], "");
        assert!(good && first["failed"] == 0 && first["updated"] == 0, "{kind}: {first:#}");
        assert!(first["passed"].as_u64().unwrap() > 15, "{first:#}");
        let mut cargo = Command::new(env!("CARGO"));
        let output = cargo.current_dir(&project).args(["test", "--quiet"]).env("CARGO_TARGET_DIR", kept("plugins")).output().unwrap();
        assert!(output.status.success(), "{kind}: {}", text(&output));
    }

    // Another answer than the expected one is shown as a difference, until it becomes the expected one.
    let project = place.path().join("billing");
    let directory = project.to_str().unwrap();
    replace(&project.join("cases/an-hour.json"), "\"0.012\",\n        \"description\"", "\"0.013\",\n        \"description\"");
    let output = slipway(&["test", directory], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("-        \"amount\": \"0.013\"") && text(&output).contains("+        \"amount\": \"0.012\""),
        "{}",
        text(&output)
    );
    let (good, updated) = report(&["test", directory, "--update"], "");
    assert!(good && updated["updated"] == 1 && check(&updated, "an-hour")["status"] == "updated", "{updated:#}");
    assert!(report(&["test", directory], "").0);

    // What does not compile is left to the compiler to explain.
    replace(&project.join("src/lib.rs"), "use serde::Deserialize;", "use serde::Serious;");
    let output = slipway(&["test", directory], "");
    assert!(text(&output).contains("Serious") && text(&output).contains("the build failed"), "{}", text(&output));
}

#[test]
fn names_that_cannot_be_and_folders_that_are_there_are_refused_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let there = place.path().to_str().unwrap();
    for (arguments, what) in [
        (&["new", "billing", "My Tiers"][..], "slipway plugin new billing my-tiers"),
        (&["new", "ingress", "traefik"], "ships with Slipway"),
        (&["new", "runtime", "elm", "--path", there], "exists already"),
        (&["test", "/nowhere"], "there is no folder /nowhere"),
        (&["test", there], "has no plugin.toml"),
    ] {
        let output = slipway(arguments, "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output).contains(what) && text(&output).contains("try: "), "{arguments:?}: {}", text(&output));
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing was written");
}

const SHIPPED: [&str; 6] = ["runtime-node", "runtime-python", "runtime-php", "runtime-docker", "billing-hourly", "ingress-traefik"];

/// The libraries that misbehave, and those that ship, built once per test program.
static LIBRARIES: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(checkout()).args(["build", "--quiet"]).env("CARGO_TARGET_DIR", kept("fixtures"));
    for fixture in ["faulty", "wrong-abi", "small-table", "future-messages"] {
        cargo.args(["-p", &format!("slipway-plugin-fixture-{fixture}")]);
    }
    for plugin in SHIPPED {
        cargo.args(["-p", &format!("slipway-plugin-{plugin}")]);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    kept("fixtures").join("debug")
});

/// A plugin's folder as it is installed, with the library of a fixture.
fn installed(fixture: &str, versions: [u32; 2]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let library = LIBRARIES.join(format!("libslipway_plugin_fixture_{}.so", fixture.replace('-', "_")));
    fs::copy(library, directory.path().join("it.so")).unwrap();
    let manifest = format!(
        "id = \"runtime-{fixture}\"\nname = \"A plugin\"\nversion = \"1.2.3\"\nkind = \"runtime\"\nmessage_versions = {versions:?}\nlibrary = \"it.so\"\n"
    );
    fs::write(directory.path().join("plugin.toml"), manifest).unwrap();
    directory
}

#[test]
fn each_fault_is_found_and_named() {
    let faulty = installed("faulty", [1, 1]);
    let directory = faulty.path().to_str().unwrap();
    let (good, report_of_none) = report(&["test", directory], "");
    assert!(good && report_of_none["failed"] == 0, "{report_of_none:#}");
    let whole = report_of_none["passed"].as_u64().unwrap();

    let odd = "odd constraints";
    for (fault, found_by, what) in [
        ("no default", "describe", "0 of its 1 versions are the default"),
        ("unpinned image", "describe", "no tag other than `latest`"),
        ("knows every tool", "resolve", "it should be refused, and is answered"),
        ("unhelpful refusal", "resolve", "the refusal's code \"unknown tool\" is not one"),
        ("no environment", "launch", "is not an environment variable"),
        ("trusts what it reads", odd, "it panicked: a constraint is a number"),
        ("aborts", odd, "the plugin ended the process: SIGABRT"),
        ("overflows its stack", odd, "the plugin ended the process: SIG"),
        ("hangs", odd, "it did not answer within 5 s"),
        ("overflows a number", "odd sizes and versions", "a number of kibibytes"),
        ("counts", "again", "the second answer is another"),
        ("is confused by company", "several at once", "by itself it was answered otherwise"),
        ("understands anything", "what is no request", "should be a bad request (status 3)"),
        ("speaks any version", "other message versions", "should be a bad request (status 3)"),
        ("needs a place for its reply", "nothing at all", "the plugin ended the process: SIG"),
        ("knows no new fields", "fields of later platforms", "not understood with one more field"),
        ("takes any settings", "settings that it cannot read", "it would do nothing"),
    ] {
        let (good, report) = report(&["test", directory], fault);
        assert!(!good && failed(&report).contains(found_by), "{fault}: {report:#}");
        let named = said(check(&report, found_by));
        assert!(named.contains(what), "{fault}: {named}");
        assert_eq!(report["report"]["checks"].as_array().unwrap().len() as u64, whole, "{fault}: the other checks are done: {report:#}");
    }

    // Without a description, nothing can be asked.
    let (good, report) = report(&["test", directory], "aborts at once");
    assert!(!good && failed(&report) == BTreeSet::from(["describe"]), "{report:#}");
    assert!(said(check(&report, "describe")).contains("SIGABRT"), "{report:#}");
}

#[test]
fn a_library_that_no_platform_would_load_is_told_apart() {
    for (fixture, versions, what) in [
        ("wrong-abi", [1, 1], "version 42 of the C interface"),
        ("small-table", [1, 1], "unusable: 8 bytes"),
        ("future-messages", [1, 9], "the plugin speaks message versions"),
    ] {
        let plugin = installed(fixture, versions);
        let (good, report) = report(&["test", plugin.path().to_str().unwrap()], "");
        assert!(!good && said(check(&report, "loads")).contains(what), "{fixture}: {report:#}");
    }
    let boastful = installed("faulty", [1, 9]);
    let (good, report) = report(&["test", boastful.path().to_str().unwrap()], "");
    assert!(!good && said(check(&report, "versions")).contains("the manifest says message versions 1 to 9"), "{report:#}");
}

#[test]
fn the_plugins_that_ship_stand_the_same_trial() {
    for plugin in SHIPPED {
        let directory = tempfile::tempdir().unwrap();
        let library = format!("libslipway_plugin_{}.so", plugin.replace('-', "_"));
        fs::copy(LIBRARIES.join(&library), directory.path().join(&library)).unwrap();
        fs::copy(checkout().join("plugins").join(plugin).join("plugin.toml"), directory.path().join("plugin.toml")).unwrap();
        let (good, report) = report(&["test", directory.path().to_str().unwrap()], "");
        assert!(good && report["failed"] == 0, "{plugin}: {report:#}");
    }
}

#[test]
fn the_examples_stand_their_trials_and_pass_their_own_tests() {
    for example in ["plugin-billing-tiers", "plugin-ingress-nginx", "plugin-runtime-ruby"] {
        let directory = checkout().join("examples").join(example);
        let (good, report) = report(&["test", directory.to_str().unwrap()], "");
        assert!(good && report["failed"] == 0, "{example}: {report:#}");
        let mut cargo = Command::new(env!("CARGO"));
        let output = cargo.current_dir(&directory).args(["test", "--quiet"]).env("CARGO_TARGET_DIR", kept("plugins")).output().unwrap();
        assert!(output.status.success(), "{example}: {}", text(&output));
    }
}
