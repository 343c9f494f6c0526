use super::*;

/// The example of docs/slipway-toml.md.
const WHOLE: &str = r#"
[build]
root = "apps/shop"
buildpack = "node"
command = "npm run build:production"
packages.build = ["libvips-dev"]
packages.run = ["libvips42"]
secrets = ["NPM_TOKEN"]

[versions]
node = "^22.3"

[processes]
web = "node server.js"
worker = "node worker.js"
release = "node migrate.js"

[health]
path = "/healthz"
grace_seconds = 30
"#;

fn refused(text: &str) -> (String, Option<u32>) {
    let refusal = AppConfig::parse(text).unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.file.as_deref()), ("APP_CONFIG_INVALID", Some(FILE)));
    (refusal.message, refusal.line)
}

#[test]
fn what_the_file_says_is_asked_for() {
    let asked = AppConfig::parse(WHOLE).unwrap().complete(&PlanRequest::default());
    assert_eq!(asked.runtime.as_deref(), Some("node"));
    assert_eq!(asked.context.app_root, "apps/shop");
    assert_eq!(asked.context.build_command.as_deref(), Some("npm run build:production"));
    assert_eq!(asked.context.start_command.as_deref(), Some("node server.js"));
}

#[test]
fn the_settings_go_before_the_file() {
    let settings = PlanRequest {
        context: Context { build_command: Some("make".into()), app_root: "services".into(), ..Context::default() },
        runtime: Some("php".into()),
    };
    let asked = AppConfig::parse(WHOLE).unwrap().complete(&settings);
    assert_eq!((asked.runtime.as_deref(), asked.context.build_command.as_deref()), (Some("php"), Some("make")));
    assert_eq!(asked.context.app_root, "services/apps/shop", "the root is one below where the file lies");
}

#[test]
fn the_plan_is_amended() {
    let tool = Tool { name: "node".into(), constraint: "22".into(), source: String::new(), is_default: true };
    let web = Process {
        name: "web".into(),
        kind: ProcessKind::Web,
        command: Command::Argv(vec!["guessed".into()]),
        env: vec![],
        is_default: true,
    };
    let mut fragment = Fragment { tools: vec![tool], processes: vec![web], ..Fragment::default() };
    AppConfig::parse(WHOLE).unwrap().amend(&mut fragment, false);
    assert_eq!((fragment.tools[0].constraint.as_str(), fragment.tools[0].source.as_str()), ("^22.3", "slipway.toml#versions.node"));
    let seen: Vec<_> = fragment.processes.iter().map(|process| (process.name.as_str(), process.kind)).collect();
    assert_eq!(seen, [("web", ProcessKind::Web), ("release", ProcessKind::Release), ("worker", ProcessKind::Worker)]);
    let health = fragment.health.unwrap();
    assert_eq!((health.probe, health.grace_seconds, health.basis), (Probe::Http("/healthz".into()), 30, HealthBasis::Stated));
}

#[test]
fn a_file_that_cannot_be_understood_is_refused_with_its_line() {
    assert_eq!(refused("[build]\nroot = \"../x\"\n").1, Some(2));
    assert_eq!(refused("[build]\nbuildpak = \"node\"\n").1, Some(2), "an unknown key is a mistake, not a wish for later");
    assert_eq!(refused("[versions]\nnode = 22\n").1, Some(2));
    assert_eq!(refused("[build\n").1, Some(1));
    assert_eq!(refused("[processes]\nweb = \"\"\n").1, Some(2));
    let (message, _) = refused("[build]\npackages.run = [\"lib; rm\"]\n");
    assert!(message.contains("`lib; rm`"), "{message}");
}

#[test]
fn a_folder_without_the_file_says_nothing_and_a_link_is_not_followed() {
    let tree = tempfile::tempdir().unwrap();
    assert_eq!(AppConfig::read(tree.path(), ".").unwrap(), AppConfig::default());
    std::os::unix::fs::symlink("/etc/passwd", tree.path().join(FILE)).unwrap();
    assert_eq!(AppConfig::read(tree.path(), ".").unwrap_err().code, "APP_CONFIG_INVALID");
}

#[test]
fn the_documented_example_is_one_that_works_and_the_schema_agrees() {
    let page = include_str!("../../../../docs/slipway-toml.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = AppConfig::parse(example).unwrap();
    assert_eq!(config.processes.len(), 3);
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../../docs/slipway.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let as_json = |text: &str| serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
    let problems: Vec<_> = validator.iter_errors(&as_json(example)).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    for wrong in ["[build]\nbuildpak = \"node\"\n", "[versions]\nnode = 22\n", "[processes]\nweb = \"\"\n", "[health]\npath = \"x\"\n"] {
        refused(wrong);
        assert!(!validator.is_valid(&as_json(wrong)), "{wrong}");
    }
}
