use slipway_buildpack_wit::{Cache, Diagnostic, Process, ProcessKind, Run, Tool};

use super::*;

fn sound() -> Fragment {
    let step = Step {
        id: "install".into(),
        base: Base::Tool("node".into()),
        inputs: vec![Input { origin: "source".into(), include: vec!["package.json".into()], exclude: vec![], dest: "/app".into() }],
        files: vec![],
        run: vec![Run { command: Command::Argv(vec!["npm".into(), "ci".into()]), cwd: "/app".into(), env: vec![], network: true }],
        caches: vec!["npm".into()],
        secrets: vec![],
        packages: vec![],
    };
    Fragment {
        tools: vec![Tool { name: "node".into(), constraint: "22".into(), source: String::new(), is_default: true }],
        caches: vec![Cache { id: "npm".into(), path: "/root/.npm".into(), shared: true }],
        steps: vec![step],
        image: Some(Image {
            base: Base::Tool("node".into()),
            packages: vec![],
            layers: vec![Layer { origin: "install".into(), path: "/app".into(), dest: "/app".into(), include: vec![], exclude: vec![] }],
            files: vec![],
            env: vec![],
            workdir: "/app".into(),
            user: "1000:1000".into(),
        }),
        processes: vec![Process {
            name: "web".into(),
            kind: ProcessKind::Web,
            command: Command::Argv(vec!["node".into()]),
            env: vec![],
            is_default: true,
        }],
        ..Fragment::default()
    }
}

/// The fields that are complained about when the sound plan is changed.
fn fields(change: impl FnOnce(&mut Fragment)) -> Vec<String> {
    let mut plan = sound();
    change(&mut plan);
    check_plan(&plan).err().unwrap_or_default().into_iter().map(|violation| violation.field).collect()
}

fn image(plan: &mut Fragment) -> &mut Image {
    plan.image.as_mut().unwrap()
}

fn dockerfile() -> Dockerfile {
    Dockerfile { path: "Dockerfile".into(), context: ".".into(), target: None, args: vec![], text: "FROM a:1\n".into() }
}

#[test]
fn a_sound_plan_passes() {
    assert_eq!(check_plan(&sound()), Ok(()));
}

#[test]
fn steps_that_depend_on_each_other_in_a_circle_are_refused() {
    let circle = |plan: &mut Fragment| {
        plan.steps[0].base = Base::Step("build".into());
        plan.steps.push(Step { id: "build".into(), base: Base::Step("install".into()), ..sound().steps.remove(0) });
    };
    assert_eq!(fields(circle), ["steps.build"]);
    assert_eq!(fields(|plan| plan.steps[0].base = Base::Step("install".into())), ["steps.install"]);
}

#[test]
fn what_is_named_must_be_declared() {
    assert_eq!(fields(|plan| plan.steps[0].caches = vec!["pip".into()]), ["steps.install.caches"]);
    assert_eq!(fields(|plan| plan.steps[0].inputs[0].origin = "nobody".into())[0], "steps.install.inputs[0].origin");
    assert_eq!(fields(|plan| plan.steps[0].base = Base::Tool("ruby".into())), ["steps.install.base"]);
    assert_eq!(fields(|plan| image(plan).layers[0].origin = "nobody".into()), ["image.layers[0].origin"]);
    assert_eq!(fields(|plan| plan.steps[0].secrets = vec!["a b".into()]), ["steps.install.secrets"]);
}

#[test]
fn paths_must_stay_inside() {
    assert_eq!(fields(|plan| plan.steps[0].inputs[0].include = vec!["../../etc/passwd".into()]), ["steps.install.inputs[0]"]);
    assert_eq!(fields(|plan| plan.steps[0].inputs[0].dest = "app".into()), ["steps.install.inputs[0].dest"]);
    assert_eq!(fields(|plan| plan.steps[0].run[0].cwd = "/app/..".into()), ["steps.install.run[0].cwd"]);
    assert_eq!(fields(|plan| image(plan).workdir = "/app\nUSER 0".into()), ["image.workdir"]);
}

#[test]
fn the_image_never_runs_as_root_and_never_starts_from_a_floating_tag() {
    assert_eq!(fields(|plan| image(plan).user = "0:0".into()), ["image.user"]);
    assert_eq!(fields(|plan| image(plan).user = "root".into()), ["image.user"]);
    assert_eq!(fields(|plan| image(plan).base = Base::Image("node:latest".into())), ["image.base"]);
}

#[test]
fn commands_are_not_empty() {
    assert_eq!(fields(|plan| plan.steps[0].run[0].command = Command::Argv(vec![])), ["steps.install.run[0]"]);
    assert_eq!(fields(|plan| plan.processes[0].command = Command::Shell("  ".into())), ["processes.web"]);
}

#[test]
fn an_image_in_which_nothing_runs_says_why() {
    assert_eq!(fields(|plan| plan.processes.clear()), ["processes"]);
    let told = |plan: &mut Fragment| {
        plan.processes.clear();
        let message = "no start command".into();
        plan.diagnostics.push(Diagnostic { level: Level::Warning, code: "X_NO_START".into(), message, file: None, line: None });
    };
    assert!(fields(told).is_empty());
}

#[test]
fn exactly_one_of_image_and_dockerfile_is_planned() {
    assert_eq!(fields(|plan| plan.image = None), ["image"]);
    assert_eq!(fields(|plan| plan.dockerfile = Some(dockerfile())), ["image"]);
    let built_by_dockerfile = |plan: &mut Fragment| {
        (plan.image, plan.dockerfile) = (None, Some(dockerfile()));
        plan.steps.clear();
        plan.processes[0].command = Command::Argv(vec![]);
    };
    assert!(fields(built_by_dockerfile).is_empty(), "the image's own command is allowed beside a Dockerfile");
}

#[test]
fn counts_and_sizes_are_bounded() {
    let steps = |plan: &mut Fragment| plan.steps = (0..40).map(|n| Step { id: format!("s{n}"), ..sound().steps.remove(0) }).collect();
    assert_eq!(fields(steps), ["steps"]);
    let file = File { path: "/x".into(), content: "x".repeat(MAX_FILES_BYTES + 1), executable: false };
    assert_eq!(fields(|plan| image(plan).files.push(file)), ["files"]);
}
