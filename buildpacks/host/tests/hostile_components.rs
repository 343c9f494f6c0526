//! A buildpack may come from anybody. Whatever it does ends in an answer or a typed failure, in bounded time and memory.

mod support;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    time::{Duration, Instant},
};

use slipway_buildpack_host::{
    Buildpack, Host, HostError, Limits, PlanFailure, PlanRequest,
    contract::{Context, Detected},
    plan_directory,
};
use support::{host, shipped, strict_host, tree, wasm};

fn limits() -> Limits {
    Limits { time: Duration::from_millis(700), memory_bytes: 128 << 20, ..Limits::default() }
}

fn hostile() -> Buildpack {
    strict_host(limits()).load("hostile", &wasm("slipway-hostile-buildpack")).unwrap()
}

async fn behave(behaviour: &str) -> Result<Detected, HostError> {
    let tree = tree(&[("behaviour", behaviour)]);
    let started = Instant::now();
    let answer = hostile().detect(tree.path(), &Context::default()).await;
    // Compiling on a busy machine is not the guest's time, so this is generous; the limits themselves are not.
    assert!(started.elapsed() < Duration::from_secs(30), "{behaviour} took {:?}", started.elapsed());
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_trap_with_its_message() {
    let Err(HostError::Trap { output, .. }) = behave("trap").await else { panic!() };
    assert!(output.contains("I give up"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_traps_is_left_out_with_a_warning() {
    let tree = tree(&[("behaviour", "trap"), ("package.json", r#"{"scripts": {"start": "node a.js"}}"#), ("a.js", "")]);
    let mut buildpacks = shipped(&host());
    buildpacks.push(hostile());
    let plan = plan_directory(&buildpacks, tree.path(), &PlanRequest::default()).await.unwrap();
    assert_eq!(plan.buildpack, "node");
    let warning = plan.fragment.diagnostics.iter().find(|diagnostic| diagnostic.code == "BUILDPACK_FAILED").unwrap();
    assert!(warning.message.contains("`hostile`"), "{}", warning.message);

    for (buildpacks, runtime) in [(&buildpacks[..], Some("hostile".to_owned())), (&[hostile()][..], None)] {
        let request = PlanRequest { runtime, ..PlanRequest::default() };
        let answer = plan_directory(buildpacks, tree.path(), &request).await;
        assert!(matches!(answer, Err(PlanFailure::Host { ref buildpack, .. }) if buildpack == "hostile"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_is_stopped() {
    assert!(matches!(behave("loop").await, Err(HostError::Timeout { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_in_the_host_is_stopped_too() {
    assert!(matches!(behave("sleep").await, Err(HostError::Timeout { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn four_gigabytes_are_not_to_be_had() {
    assert!(matches!(behave("allocate").await, Err(HostError::Memory { limit_bytes, .. }) if limit_bytes == 128 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_recursion_is_a_trap() {
    let Err(HostError::Trap { message, .. }) = behave("recurse").await else { panic!() };
    // Whichever of the two stacks ends first: the machine's, or the guest's own in its memory.
    assert!(["call stack exhausted", "out of bounds memory access"].iter().any(|known| message.contains(known)), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_neither_fails_nor_is_kept() {
    // 240 MB, which take a moment to copy.
    let host = strict_host(Limits { time: Duration::from_secs(60), ..limits() });
    let tree = tree(&[("behaviour", "print")]);
    let answer = host.load("hostile", &wasm("slipway-hostile-buildpack")).unwrap().detect(tree.path(), &Context::default()).await;
    assert!(matches!(answer, Ok(Detected::Yes(_))), "{answer:?}");
    let Err(HostError::Timeout { output, .. }) = behave("print-forever").await else { panic!() };
    assert_eq!(output.len(), limits().output_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_answer_is_refused() {
    for behaviour in ["huge-answer", "many-answers"] {
        let answer = behave(behaviour).await;
        assert!(matches!(answer, Err(HostError::OutputTooLarge { .. })), "{behaviour}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_out_of_the_tree() {
    let outside = tree(&[("secret", "TOP SECRET"), ("app/behaviour", "escape")]);
    let app = outside.path().join("app");
    symlink("../secret", app.join("link")).unwrap();
    symlink(outside.path().join("secret"), app.join("absolute-link")).unwrap();
    symlink("..", app.join("linked-dir")).unwrap();
    let Ok(Detected::No(attempts)) = hostile().detect(&app, &Context::default()).await else { panic!() };
    assert_eq!(attempts.len(), 10);
    for attempt in attempts {
        assert!(attempt.why.starts_with("Err("), "{}: {}", attempt.file, attempt.why);
    }
    assert!(!app.join("written").exists() && app.join("behaviour").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_environment_no_clock_and_no_randomness() {
    let (first, second) = (behave("ambient").await.unwrap(), behave("ambient").await.unwrap());
    assert_eq!(first, second);
    let Detected::No(seen) = first else { panic!() };
    let said: Vec<_> = seen.iter().map(|reason| reason.why.as_str()).collect();
    assert_eq!(said[..3], ["[]", "[]", "0ns"]);
    assert_eq!(said[4], "Ok(0)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_breaks_the_rules_never_gets_out() {
    let tree = tree(&[("behaviour", "well")]);
    let failure = plan_directory(&[hostile()], tree.path(), &PlanRequest::default()).await.unwrap_err();
    let PlanFailure::InvalidPlan { buildpack, violations } = failure else { panic!("{failure}") };
    assert_eq!(buildpack, "hostile");
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["image.base", "image.packages", "image.files", "image.env", "image.user", "processes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_the_buildpack() {
    let tree = tree(&[("behaviour", "trap")]);
    let failure = plan_directory(&[hostile()], tree.path(), &PlanRequest::default()).await.unwrap_err();
    assert!(matches!(&failure, PlanFailure::Host { buildpack, error: HostError::Trap { .. } } if buildpack == "hostile"), "{failure}");
}

#[test]
fn what_is_no_buildpack_is_told_apart() {
    let host = host();
    assert!(matches!(host.load("x", b"not wasm"), Err(HostError::InvalidComponent { .. })));
    // A module, not a component.
    assert!(matches!(host.load("x", b"\0asm\x01\0\0\0"), Err(HostError::InvalidComponent { .. })));
    // An empty component: sound, but without the two functions.
    assert!(matches!(host.load("x", b"\0asm\x0d\0\x01\0"), Err(HostError::WrongWorld { .. })));
}

#[test]
fn a_compiled_buildpack_that_is_cut_off_or_open_to_others_is_compiled_anew() {
    let cache = tempfile::tempdir().unwrap();
    let wasm = wasm("slipway-hostile-buildpack");
    let load = || Host::new(cache.path()).unwrap().load("hostile", &wasm).map(|_| ());
    load().unwrap();
    let code = fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "cwasm"))
        .unwrap();
    let whole = fs::read(&code).unwrap();
    for bytes in [&whole[..1000], &[]] {
        fs::write(&code, bytes).unwrap();
        load().unwrap();
        assert_eq!(fs::read(&code).unwrap().len(), whole.len(), "it was written again");
    }
    // What others may write to is not run.
    fs::set_permissions(&code, fs::Permissions::from_mode(0o666)).unwrap();
    load().unwrap();
    assert_eq!(fs::metadata(&code).unwrap().mode() & 0o777, 0o600);
}
