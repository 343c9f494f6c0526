//! Builds on the machine's real Docker engine.

mod build_support;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use build_support::{BASE, Bench, SOCKET, base_image, docker, image_exists, is_running, plan, remove_image, secret, within};
use futures::StreamExt;
use slipway_agent::docker::buildkit::{BuildEngine, PullError};
use slipway_buildpack_wit::{Base, Cache, Command, Fragment, Image, Input, Layer, Port, Process, ProcessKind, Run, Step};
use slipway_model::state::{StepKind, StepStatus};
use slipway_protocol::{BuildLimits, Outcome, PullTask, TaskSpec};
use tokio_util::sync::CancellationToken;

fn step(id: &str, commands: &[&str]) -> Step {
    Step {
        id: id.into(),
        base: Base::Image(BASE.into()),
        inputs: vec![],
        files: vec![],
        run: commands
            .iter()
            .map(|command| Run { command: Command::Shell((*command).into()), cwd: "/app".into(), env: vec![], network: false })
            .collect(),
        caches: vec![],
        secrets: vec![],
        packages: vec![],
    }
}

#[tokio::test]
async fn a_plan_becomes_an_image_with_its_command_ports_and_labels() {
    base_image().await;
    let bench = Bench::new();
    let mut build = bench.dockerfile("plan", "", &[("src/a.txt", "from the source")]);
    let compile = Step {
        inputs: vec![Input { origin: "source".into(), include: vec!["src/**".into()], exclude: vec![], dest: "/app".into() }],
        caches: vec!["downloads".into()],
        ..step(
            "compile",
            &[
                &format!("echo {}", uuid::Uuid::new_v4()),
                "cat src/a.txt > out.txt; echo kept >> /cache/x; ls /sys/class/net",
                "echo compiled > done.txt",
            ],
        )
    };
    build.plan = plan(
        "test",
        Fragment {
            caches: vec![Cache { id: "downloads".into(), path: "/cache".into(), shared: false }],
            steps: vec![compile],
            image: Some(Image {
                base: Base::Image(BASE.into()),
                packages: vec![],
                layers: vec![Layer {
                    origin: "compile".into(),
                    path: "/app".into(),
                    dest: "/app".into(),
                    include: vec![],
                    exclude: vec![],
                }],
                files: vec![],
                env: vec![("MODE".into(), "production".into())],
                workdir: "/app".into(),
                user: "1000:1000".into(),
            }),
            processes: vec![Process {
                name: "web".into(),
                kind: ProcessKind::Web,
                command: Command::Argv(vec!["cat".into(), "out.txt".into()]),
                env: vec![],
                is_default: true,
            }],
            ports: vec![Port { name: "http".into(), env: "PORT".into(), default: 3000 }],
            ..Fragment::default()
        },
    );
    let image = build.image.clone();
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    let Outcome::Built { digest, image_bytes, exposed_ports, log_truncated, .. } = &ran.outcome else {
        panic!("{:?}\n{}", ran.outcome, ran.log())
    };
    assert!(digest.starts_with("sha256:") && *image_bytes > 500_000, "{digest} {image_bytes}");
    assert_eq!((exposed_ports.as_slice(), *log_truncated), ([3000].as_slice(), false));
    assert_eq!(ran.steps, [(StepKind::Build, StepStatus::Running), (StepKind::Build, StepStatus::Succeeded)]);

    let inspected = docker().inspect_image(&image).await.unwrap();
    let config = inspected.config.unwrap();
    assert_eq!(config.cmd.unwrap(), ["cat", "out.txt"]);
    assert_eq!(config.user.unwrap(), "1000:1000");
    assert_eq!(config.labels.unwrap()["io.slipway.test"], "plan");
    assert!(ran.lines.iter().any(|line| line.ends_with("compile: RUN echo compiled > done.txt")), "{}", ran.log());
    // No command of this plan asked for the network.
    assert!(ran.lines.iter().any(|line| line.ends_with(" lo")) && !ran.log().contains("eth0"), "{}", ran.log());
    assert!(std::fs::read_dir(bench.data.path().join("builds")).unwrap().next().is_none(), "the source is gone");
    remove_image(&image).await;
}

#[tokio::test]
async fn a_build_variable_reaches_the_command_and_neither_the_image_nor_the_log() {
    base_image().await;
    let bench = Bench::new();
    let value = format!("s3cr3t-{}", uuid::Uuid::new_v4());
    let mut build = bench.dockerfile("secret", "", &[]);
    build.plan = plan(
        "test",
        Fragment {
            steps: vec![Step {
                secrets: vec!["API_TOKEN".into()],
                ..step("use", &["echo length ${#API_TOKEN}; echo value $API_TOKEN; env; echo ok > /app/out"])
            }],
            image: Some(Image {
                base: Base::Image(BASE.into()),
                packages: vec![],
                layers: vec![Layer { origin: "use".into(), path: "/app".into(), dest: "/app".into(), include: vec![], exclude: vec![] }],
                files: vec![],
                env: vec![],
                workdir: "/app".into(),
                user: "1000:1000".into(),
            }),
            ..Fragment::default()
        },
    );
    build.secrets = BTreeMap::from([("API_TOKEN".parse().unwrap(), secret(&value))]);
    let image = build.image.clone();
    let task = bench.task(TaskSpec::Build(build.clone()));
    let ran = bench.run(&task).await;
    assert!(matches!(ran.outcome, Outcome::Built { .. }), "{:?}\n{}", ran.outcome, ran.log());
    assert!(ran.lines.iter().any(|line| line.ends_with(&format!("length {}", value.len()))), "{}", ran.log());
    assert!(ran.lines.iter().any(|line| line.ends_with("value ***")), "{}", ran.log());
    assert!(!ran.log().contains(&value), "{}", ran.log());
    let engine = docker();
    let mut saved = std::pin::pin!(engine.export_image(&image));
    let mut bytes = Vec::new();
    while let Some(chunk) = saved.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    assert!(bytes.len() > 500_000 && !bytes.windows(value.len()).any(|window| window == value.as_bytes()));

    let again = bench.run(&task).await;
    assert!(again.log().contains("taken from the cache"), "the same value builds nothing anew:\n{}", again.log());
    build.secrets = BTreeMap::from([("API_TOKEN".parse().unwrap(), secret("another value"))]);
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    assert!(ran.lines.iter().any(|line| line.ends_with("length 13")), "another value is used: {}", ran.log());
    remove_image(&image).await;
}

#[tokio::test]
async fn a_failing_command_is_named_and_its_output_is_in_the_log() {
    base_image().await;
    let bench = Bench::new();
    let text =
        format!("FROM {BASE} AS build\nRUN echo before\nRUN echo why-it-failed >&2; exit 3\nFROM {BASE}\nCOPY --from=build /tmp /app\n");
    let build = bench.dockerfile("failing", &text, &[]);
    let image = build.image.clone();
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    let failure = ran.failure();
    assert_eq!((failure.code.as_str(), failure.exit_code), ("BUILD_COMMAND_FAILED", Some(3)));
    assert_eq!(failure.message, "the command `echo why-it-failed >&2; exit 3` in the step `build` ended with exit code 3");
    assert!(ran.lines.iter().any(|line| line.ends_with(" why-it-failed")), "{}", ran.log());
    assert_eq!(ran.steps.last(), Some(&(StepKind::Build, StepStatus::Failed)));
    assert!(!image_exists(&image).await);
}

#[tokio::test]
async fn canceling_ends_the_command_that_runs() {
    base_image().await;
    let bench = Bench::new();
    let build = bench.dockerfile("cancel", &format!("FROM {BASE}\nRUN echo about to wait; sleep 31415.9\n"), &[]);
    let task = bench.task(TaskSpec::Build(build));
    let ran = bench.run_until(&task, CancellationToken::new(), "about to wait").await;
    assert_eq!(ran.outcome, Outcome::Canceled, "{}", ran.log());
    assert!(within(Duration::from_secs(10), || !is_running("31415.9")).await, "the command still runs");
}

#[tokio::test]
async fn a_build_ends_at_its_time_limit() {
    base_image().await;
    let bench = Bench::new();
    let mut build = bench.dockerfile("slow", &format!("FROM {BASE}\nRUN sleep 27182.8\n"), &[]);
    build.limits.time_seconds = 4;
    let started = Instant::now();
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    assert_eq!(ran.failure().code, "BUILD_TIMED_OUT");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(within(Duration::from_secs(10), || !is_running("27182.8")).await, "the command still runs");
}

#[tokio::test]
async fn a_log_ends_at_its_limit_and_the_build_goes_on() {
    base_image().await;
    let bench = Bench::new();
    let mut build = bench.dockerfile(
        "log",
        &format!("FROM {BASE}\nRUN echo {}; seq 1 20000; head -c 40000 /dev/zero | busybox tr '\\0' x\n", uuid::Uuid::new_v4()),
        &[],
    );
    build.limits.log_bytes = 20_000;
    let image = build.image.clone();
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    assert!(matches!(ran.outcome, Outcome::Built { log_truncated: true, .. }), "{:?}", ran.outcome);
    assert!(ran.log().len() < 21_000);
    assert!(ran.lines.iter().any(|line| line.contains("the log ends here")));
    remove_image(&image).await;
}

#[tokio::test]
async fn an_image_over_its_limit_is_removed() {
    base_image().await;
    let bench = Bench::new();
    let mut build = bench.dockerfile("large", &format!("FROM {BASE}\nRUN head -c 5000000 /dev/urandom > /tmp/large\n"), &[]);
    build.limits = BuildLimits { image_bytes: 4 << 20, time_seconds: 60, ..BuildLimits::default() };
    let image = build.image.clone();
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    assert_eq!(ran.failure().code, "IMAGE_TOO_LARGE", "{}", ran.failure());
    assert!(!image_exists(&image).await);
}

#[tokio::test]
async fn what_is_wrong_with_a_dockerfile_is_said() {
    base_image().await;
    let bench = Bench::new();
    let cases = [
        ("FROM slipway-build-test/does-not-exist:1\n".to_owned(), "BASE_IMAGE_UNAVAILABLE", "slipway-build-test/does-not-exist:1"),
        (format!("FROM {BASE}\nRUNN x\n"), "DOCKERFILE_INVALID", "RUNN"),
        (format!("FROM {BASE}\nCOPY nope.txt /\n"), "COPY_SOURCE_MISSING", "nope.txt"),
        (format!("FROM {BASE}\nRUN no-such-program\n"), "BUILD_COMMAND_FAILED", "was not found (exit code 127)"),
    ];
    for (number, (text, code, says)) in cases.into_iter().enumerate() {
        let build = bench.dockerfile(&format!("wrong-{number}"), &text, &[]);
        let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
        let failure = ran.failure();
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.message.contains(says) && failure.fix.is_some(), "{failure}");
        if code == "DOCKERFILE_INVALID" {
            assert_eq!((failure.file.as_deref(), failure.line), (Some("Dockerfile"), Some(2)));
        }
    }
}

#[tokio::test]
async fn a_command_that_takes_all_memory_dies_alone() {
    base_image().await;
    let bench = Bench::new();
    // `tail` keeps what has no line's end.
    let build = bench.dockerfile("memory", &format!("FROM {BASE}\nRUN sleep 1; tail /dev/zero\n"), &[]);
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    let failure = ran.failure();
    assert_eq!((failure.code.as_str(), failure.exit_code), ("BUILD_COMMAND_FAILED", Some(137)), "{failure}");
    assert!(failure.message.contains("more memory"), "{failure}");
}

#[tokio::test]
async fn a_command_that_fills_the_disk_is_stopped() {
    base_image().await;
    let bench = Bench::new();
    let text = format!("FROM {BASE}\nRUN dd if=/dev/zero of=/tmp/fill bs=1048576 count=16384; sleep 16180.3\n");
    let mut build = bench.dockerfile("disk", &text, &[]);
    build.limits.image_bytes = 100 << 20;
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    assert_eq!(ran.failure().code, "BUILD_DISK_LIMIT", "{}", ran.failure());
    assert!(within(Duration::from_secs(10), || !is_running("16180.3") && !is_running("of=/tmp/fill")).await, "the command still runs");
}

#[tokio::test]
async fn a_large_source_is_not_held_in_memory() {
    base_image().await;
    let bench = Bench::new();
    let noise: String =
        (0..40_000_000_u64).map(|number| char::from(b'0' + u8::try_from(number.wrapping_mul(number) >> 7 & 7).unwrap())).collect();
    let text = format!("FROM {BASE}\nCOPY . /src\n");
    let files: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|name| (name, noise.as_str())).to_vec();
    let build = bench.dockerfile("context", &text, &files);
    let task = bench.task(TaskSpec::Build(build.clone()));
    let before = resident_bytes();
    let mut most = before;
    let watch = async {
        loop {
            most = most.max(resident_bytes());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ran = tokio::select! {
        ran = bench.run(&task) => ran,
        () = watch => unreachable!("it watches for ever"),
    };
    assert!(matches!(ran.outcome, Outcome::Built { image_bytes: 240_000_000.., .. }), "{:?}", ran.outcome);
    assert!(most.saturating_sub(before) < 100 << 20, "grew by {} MiB", most.saturating_sub(before) >> 20);
    remove_image(&build.image).await;
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_dockerfile_cannot_have_the_node_fetch_for_it() {
    base_image().await;
    let bench = Bench::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret").await;
        }
    });
    // Plain, and by a variable that hides the address from whoever reads the text.
    for (name, text) in [
        ("add-plain", format!("FROM {BASE}\nADD http://{address}/x /x\n")),
        ("add-variable", format!("FROM {BASE}\nENV A=http:/ B=/{address}/x\nADD $A$B /x\nRUN sleep 14142.1\n")),
    ] {
        let build = bench.dockerfile(name, &text, &[]);
        let image = build.image.clone();
        let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
        assert_eq!(ran.failure().code, "DOCKERFILE_REMOTE_ADD", "{name}: {}", ran.failure());
        assert!(!image_exists(&image).await);
    }
    serving.abort();
}

#[tokio::test]
async fn a_dockerfile_sees_nothing_of_the_node() {
    base_image().await;
    let bench = Bench::new();
    let canary = format!("canary-{}", uuid::Uuid::new_v4());
    let outside = bench.data.path().join("outside.txt");
    std::fs::write(&outside, &canary).unwrap();
    let up = "../".repeat(20);
    for (number, instruction) in [
        format!("COPY {up}{} /x", outside.display()),
        format!("COPY {} /x", outside.display()),
        format!("RUN --mount=type=bind,source={up}{0},target=/mnt cat /mnt", outside.display()),
        "RUN --mount=type=bind,source=/var/run/docker.sock,target=/s ls /s".to_owned(),
        "RUN --security=insecure echo x".to_owned(),
        format!("RUN cat {} || cat /proc/1/root{}", outside.display(), outside.display()),
        "RUN ls /var/run/docker.sock /run/docker.sock".to_owned(),
        "RUN touch /proc/sys/kernel/panic && echo 1 > /proc/sys/kernel/panic".to_owned(),
        "RUN busybox mount -t proc proc /tmp".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("FROM {BASE}\n{instruction}\n");
        let build = bench.dockerfile(&format!("hostile-{number}"), &text, &[]);
        let image = build.image.clone();
        let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
        assert!(!ran.log().contains(&canary), "{instruction}: {}", ran.log());
        assert!(matches!(ran.outcome, Outcome::Failed(_)), "{instruction}: {:?}\n{}", ran.outcome, ran.log());
        remove_image(&image).await;
    }
}

#[tokio::test]
async fn sweeping_keeps_the_build_cache_within_its_size() {
    let engine = BuildEngine::new(Path::new(SOCKET));
    assert_eq!(engine.prune_cache(u64::MAX >> 1).await.unwrap(), 0, "nothing is over so large a limit");
    let absent = BuildEngine::new(Path::new("/nonexistent/docker.sock"));
    assert!(matches!(absent.prune_cache(0).await, Err(PullError::Unreachable(_))));
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_no_fault_of_the_app() {
    let bench = Bench::with(|config| config.docker_socket = "/nonexistent/docker.sock".into());
    let build = bench.dockerfile("no-engine", "FROM scratch\n", &[]);
    assert_eq!(bench.run(&bench.task(TaskSpec::Build(build))).await.failure().code, "DOCKER_UNAVAILABLE");
    let pull = TaskSpec::Pull(PullTask { image: "a:1".parse().unwrap() });
    assert_eq!(bench.run(&bench.task(pull)).await.failure().code, "DOCKER_UNAVAILABLE");
}

#[tokio::test]
async fn an_image_that_is_there_is_not_fetched() {
    base_image().await;
    let bench = Bench::new();
    let ran = bench.run(&bench.task(TaskSpec::Pull(PullTask { image: BASE.parse().unwrap() }))).await;
    assert!(matches!(ran.outcome, Outcome::Built { .. }), "{:?}", ran.outcome);
    assert!(ran.log().contains("run as root"), "{}", ran.log());
    let absent = TaskSpec::Pull(PullTask { image: "localhost:1/nothing/here:1".parse().unwrap() });
    let ran = bench.run(&bench.task(absent)).await;
    assert!(matches!(ran.failure().code.as_str(), "IMAGE_PULL_FAILED" | "IMAGE_NOT_FOUND"), "{}", ran.failure());
}

#[tokio::test]
async fn a_rejected_archive_names_its_entry() {
    let bench = Bench::new();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Fifo);
    header.set_size(0);
    tar.append_data(&mut header, "pipe", std::io::empty()).unwrap();
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    let mut build = bench.dockerfile("archive", "FROM scratch\n", &[]);
    build.source = slipway_protocol::SourceSpec::Upload { size_bytes: bytes.len() as u64, sha256: bench.blobs.add(bytes) };
    let ran = bench.run(&bench.task(TaskSpec::Build(build))).await;
    assert_eq!((ran.failure().code.as_str(), ran.failure().file.as_deref()), ("ARCHIVE_REJECTED", Some("pipe")));
    assert!(std::fs::read_dir(bench.data.path().join("builds")).unwrap().next().is_none());
}
