//! What a build takes from those before it, and what one without cache does not, on the machine's real Docker engine.

mod build_support;

use build_support::{BASE, Bench, Ran, base_image, plan, remove_image};
use slipway_buildpack_wit::{Base, Cache, Command, Fragment, Image, Layer, Run, Step};
use slipway_model::DeploymentId;
use slipway_protocol::{BuildTask, Outcome, TaskSpec};

/// A step that tells how many builds have downloaded into its cache.
fn counting(bench: &Bench, mark: &str) -> BuildTask {
    let mut build = bench.dockerfile("fresh", "", &[("a.txt", "a")]);
    let script = format!("echo {mark} > /app/mark; echo x >> /cache/x; echo counted $(wc -l < /cache/x)");
    let step = Step {
        id: "count".into(),
        base: Base::Image(BASE.into()),
        inputs: vec![],
        files: vec![],
        run: vec![Run { command: Command::Shell(script), cwd: "/app".into(), env: vec![], network: false }],
        caches: vec!["downloads".into()],
        secrets: vec![],
        packages: vec![],
    };
    let image = Image {
        base: Base::Image(BASE.into()),
        packages: vec![],
        layers: vec![Layer { origin: "count".into(), path: "/app".into(), dest: "/app".into(), include: vec![], exclude: vec![] }],
        files: vec![],
        env: vec![],
        workdir: "/app".into(),
        user: "1000:1000".into(),
    };
    let caches = vec![Cache { id: "downloads".into(), path: "/cache".into(), shared: false }];
    build.plan = plan("test", Fragment { caches, steps: vec![step], image: Some(image), ..Fragment::default() });
    build
}

fn from_cache(ran: &Ran) -> Option<bool> {
    let Outcome::Built { from_cache, .. } = ran.outcome else { panic!("{:?}\n{}", ran.outcome, ran.log()) };
    from_cache
}

#[tokio::test]
async fn a_build_without_cache_runs_every_command_again_and_those_after_it_look_at_its_downloads() {
    base_image().await;
    let bench = Bench::new();
    // All of one application, of which nothing was built before.
    let application = bench.task(TaskSpec::Build(counting(&bench, "first"))).application;
    let (one, other) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let run = async |mark: &str, change: &dyn Fn(&mut BuildTask)| {
        let mut build = counting(&bench, mark);
        change(&mut build);
        let mut task = bench.task(TaskSpec::Build(build));
        task.application = application;
        bench.run(&task).await
    };
    let first = run(&one, &|_| {}).await;
    assert!(first.log().contains("counted 1"), "{}", first.log());
    assert_eq!(from_cache(&first), Some(false));
    let again = run(&one, &|_| {}).await;
    assert_eq!(from_cache(&again), Some(true), "{}", again.log());
    let changed = run(&other, &|_| {}).await;
    assert!(changed.log().contains("counted 2"), "its downloads are kept\n{}", changed.log());

    let since = DeploymentId::new(&*bench.clock);
    let fresh = run(&one, &|build| (build.fresh, build.caches_since) = (true, Some(since))).await;
    assert!(fresh.log().contains("counted 1"), "{}", fresh.log());
    assert_eq!(from_cache(&fresh), Some(false));
    let after = run(&other, &|build| build.caches_since = Some(since)).await;
    assert!(after.log().contains("counted 2"), "{}", after.log());
    remove_image("slipway-build-test/fresh:1").await;
}
