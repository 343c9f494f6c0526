use slipway_buildpack_wit::{
    Base, Cache, Command, Detection, File, Fragment, Image, Input, Layer, LockedTool, Port, Process, ProcessKind, Run, Step, Tool,
};

use super::*;

fn listing(paths: &[&str]) -> Listing {
    let files = paths.iter().map(|path| SourceFile { path: (*path).into(), kind: SourceKind::File { executable: path.ends_with(".sh") } });
    Listing { root: "/src".into(), files: files.collect() }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn run(words: &[&str]) -> Run {
    Run { command: Command::Argv(strings(words)), cwd: "/app".into(), env: vec![], network: true }
}

fn step(id: &str, base: Base, include: &[&str], runs: Vec<Run>) -> Step {
    let input = Input { origin: "source".into(), include: strings(include), exclude: strings(&["node_modules"]), dest: "/app".into() };
    Step { id: id.into(), base, inputs: vec![input], files: vec![], run: runs, caches: vec![], secrets: vec![], packages: vec![] }
}

fn plan(fragment: Fragment) -> Plan {
    let detection = Detection {
        app_root: ".".into(),
        score: 90,
        framework: None,
        package_manager: None,
        reasons: vec![],
        provides: vec![],
        requires: vec![],
    };
    Plan { buildpack: "node".into(), detection, beside: vec![], fragment }
}

fn node() -> Plan {
    let mut install = step("install", Base::Tool("node".into()), &["package*.json"], vec![run(&["npm", "ci"])]);
    install.caches = strings(&["npm"]);
    install.packages = strings(&["git"]);
    let mut build = step("build", Base::Step("install".into()), &[], vec![run(&["npm", "run", "build"])]);
    build.files = vec![File { path: "/app/extra.sh".into(), content: "echo".into(), executable: true }];
    let layer = |origin: &str, path: &str| Layer {
        origin: origin.into(),
        path: path.into(),
        dest: "/app".into(),
        include: vec![],
        exclude: strings(&[]),
    };
    plan(Fragment {
        tools: vec![Tool { name: "node".into(), constraint: "22".into(), source: String::new(), is_default: true }],
        caches: vec![Cache { id: "npm".into(), path: "/root/.npm".into(), shared: true }],
        // Not in order, which is allowed.
        steps: vec![build, install],
        image: Some(Image {
            base: Base::Tool("node".into()),
            packages: vec![],
            layers: vec![layer("build", "/app"), layer("source", "public")],
            files: vec![],
            env: vec![("MOTTO".into(), "it \"costs\" $5 \\ more".into())],
            workdir: "/app".into(),
            user: "1000:1000".into(),
        }),
        processes: vec![Process {
            name: "web".into(),
            kind: ProcessKind::Web,
            command: Command::Shell("node server.js --port $PORT".into()),
            env: vec![],
            is_default: true,
        }],
        ports: vec![Port { name: "http".into(), env: "PORT".into(), default: 3000 }],
        ..Fragment::default()
    })
}

fn lock() -> Lock {
    let locked =
        LockedTool { constraint: "22".into(), version: "22".into(), build_image: "node:22-slim".into(), run_image: "node:22-slim".into() };
    Lock::from([("node".to_owned(), locked)])
}

fn options() -> LowerOptions {
    LowerOptions { scope: "app1".into(), labels: [("io.slipway.app".to_owned(), "app1".to_owned())].into(), ..LowerOptions::default() }
}

fn tree() -> Listing {
    listing(&["node_modules/x/index.js", "package-lock.json", "package.json", "public/a.css", "run.sh", "server.js"])
}

#[test]
fn a_plan_becomes_one_stage_per_step_and_the_image() {
    let lowered = lower(&node(), &lock(), &tree(), &options()).unwrap();
    let expected = r#"FROM node:22-slim AS step-install
RUN ["/bin/sh","-c","apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*"]
COPY ["inputs/install/0/","/app/"]
WORKDIR /app
RUN --mount=type=cache,id=app1-npm-node22,target=/root/.npm,sharing=shared ["npm","ci"]

FROM step-install AS step-build
COPY ["inputs/build/0/","/app/"]
COPY ["files/build/0","/app/extra.sh"]
WORKDIR /app
RUN ["npm","run","build"]

FROM node:22-slim
COPY --from=step-build --chown=1000:1000 ["/app","/app"]
COPY --chown=1000:1000 ["layers/1/","/"]
USER 1000:1000
WORKDIR /app
ENV "MOTTO"="it \"costs\" \$5 \\ more"
ENV "PORT"="3000"
EXPOSE 3000
LABEL "io.slipway.app"="app1"
STOPSIGNAL SIGTERM
ENTRYPOINT []
CMD ["/bin/sh","-c","node server.js --port $PORT"]
"#;
    assert_eq!(lowered.dockerfile, expected);
    let context: Vec<_> = lowered.context.iter().map(|entry| (entry.to.as_str(), entry.executable)).collect();
    assert_eq!(
        context,
        [
            ("files/build/0", true),
            ("inputs/build/0/package-lock.json", false),
            ("inputs/build/0/package.json", false),
            ("inputs/build/0/public/a.css", false),
            ("inputs/build/0/run.sh", true),
            ("inputs/build/0/server.js", false),
            ("inputs/install/0/package-lock.json", false),
            ("inputs/install/0/package.json", false),
            ("layers/1/app/a.css", false),
        ]
    );
}

#[test]
fn build_variables_and_certificates_are_mounted_and_never_written() {
    let options = LowerOptions { secrets: strings(&["NPM_TOKEN"]), ca_bundle: Some("/etc/extra.pem".into()), ..options() };
    let lowered = lower(&node(), &lock(), &tree(), &options).unwrap();
    let install = lowered.dockerfile.lines().find(|line| line.contains("\"npm\",\"ci\"")).unwrap();
    assert_eq!(
        install,
        r#"RUN --mount=type=cache,id=app1-npm-node22,target=/root/.npm,sharing=shared --mount=type=bind,source=ca.pem,target=/etc/slipway/ca.pem --mount=type=secret,id=NPM_TOKEN,required=true ["/usr/bin/env","SSL_CERT_FILE=/etc/slipway/ca.pem","NODE_EXTRA_CA_CERTS=/etc/slipway/ca.pem","PIP_CERT=/etc/slipway/ca.pem","REQUESTS_CA_BUNDLE=/etc/slipway/ca.pem","CURL_CA_BUNDLE=/etc/slipway/ca.pem","GIT_SSL_CAINFO=/etc/slipway/ca.pem","COMPOSER_CAFILE=/etc/slipway/ca.pem","/bin/sh","-c","NPM_TOKEN=\"$(cat /run/secrets/NPM_TOKEN)\"; export NPM_TOKEN; exec \"$@\"","sh","npm","ci"]"#
    );
    let image = lowered.dockerfile.rsplit("FROM ").next().unwrap();
    assert!(!image.contains("NPM_TOKEN") && !image.contains("ca.pem"), "{image}");
    let of = |fingerprint: &str| LowerOptions { secrets_fingerprint: Some(fingerprint.into()), ..options.clone() };
    let (one, other) = (lower(&node(), &lock(), &tree(), &of("1a")).unwrap(), lower(&node(), &lock(), &tree(), &of("2b")).unwrap());
    assert!(one.dockerfile.contains("ARG SLIPWAY_BUILD_VARIABLES=1a\n") && one != other, "{}", one.dockerfile);
    assert!(!one.dockerfile.rsplit("FROM ").next().unwrap().contains("ARG"));
    assert_eq!(lowered.context[0].from, ContextSource::File("/etc/extra.pem".into()));
}

#[test]
fn a_cache_belongs_to_an_application_and_to_a_major_version_of_the_tool() {
    let caches = |version: &str, scope: &str| {
        let mut lock = lock();
        lock.get_mut("node").unwrap().version = version.into();
        let mut plan = node();
        // The step that is built upon the install, so that its tool is found below.
        plan.fragment.steps[0].caches = strings(&["npm"]);
        let lowered = lower(&plan, &lock, &tree(), &LowerOptions { scope: scope.into(), ..options() }).unwrap();
        let ids = lowered.dockerfile.split("type=cache,id=").skip(1).map(|rest| rest.split(',').next().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(caches("22.14.0", "app1"), ["app1-npm-node22", "app1-npm-node22"]);
    assert_eq!(caches("22.15.1", "app1"), caches("22.14.0", "app1"), "a patch keeps the cache");
    assert_eq!(caches("24", "app2"), ["app2-npm-node24", "app2-npm-node24"]);
}

#[test]
fn what_a_step_made_is_copied_under_its_own_name() {
    let mut plan = node();
    plan.fragment.steps[0].inputs.push(Input {
        origin: "install".into(),
        include: strings(&["/opt/tool"]),
        exclude: vec![],
        dest: "/usr/local/".into(),
    });
    let lowered = lower(&plan, &lock(), &tree(), &options()).unwrap();
    assert!(lowered.dockerfile.contains("COPY --from=step-install [\"/opt/tool\",\"/usr/local/tool\"]\n"), "{}", lowered.dockerfile);
}

#[test]
fn what_is_missing_is_said() {
    assert_eq!(lower(&node(), &Lock::new(), &tree(), &options()), Err(LowerError::Unresolved("node".into())));
    let mut needs_secret = node();
    needs_secret.fragment.steps[0].secrets = strings(&["KEY"]);
    let error = LowerError::MissingSecret { step: "build".into(), secret: "KEY".into() };
    assert_eq!(lower(&needs_secret, &lock(), &tree(), &options()), Err(error));
    let mut bad = lock();
    bad.get_mut("node").unwrap().run_image = "node\nRUN evil".into();
    assert!(matches!(lower(&node(), &bad, &tree(), &options()), Err(LowerError::BadImage { .. })));
}

#[test]
fn a_dockerfile_is_built_from_what_dockerignore_leaves() {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        (".dockerignore", "secret\n*.log\n"),
        ("Dockerfile", "FROM x"),
        ("a.txt", ""),
        ("b.log", ""),
        ("secret/key", ""),
        (".git/config", ""),
    ] {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let dockerfile = slipway_buildpack_wit::Dockerfile {
        path: "Dockerfile".into(),
        context: ".".into(),
        target: Some("prod".into()),
        args: vec![],
        text: "FROM adapted:1\n".into(),
    };
    let plan = plan(Fragment { dockerfile: Some(dockerfile), ..Fragment::default() });
    let source = Listing::read(dir.path(), ".").unwrap();
    let lowered = lower(&plan, &Lock::new(), &source, &options()).unwrap();
    assert_eq!((lowered.dockerfile.as_str(), lowered.dockerfile_path.as_str()), ("FROM adapted:1\n", "Dockerfile"));
    let context: Vec<_> = lowered.context.iter().map(|entry| entry.to.as_str()).collect();
    assert_eq!(context, [".dockerignore", "a.txt"]);
    assert_eq!(lowered.labels, options().labels);
}
