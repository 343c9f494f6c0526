//! Which Node is planned, from all the places that may say so.

mod support;

use support::{App, codes};

const START: &str = r#""scripts": { "start": "node a.js" }"#;

fn app(keys: &str, files: &[(&str, &str)]) -> App {
    let manifest = format!("{{\n{START},\n{keys}\n}}");
    App::new(&[&[("package.json", manifest.as_str())], files].concat())
}

fn tool(app: &App) -> (String, String) {
    let tool = app.plan().tools.remove(0);
    (tool.constraint, tool.source)
}

#[test]
fn every_place_that_states_a_version_is_read() {
    let of = |files: &[(&str, &str)]| tool(&app(r#""name": "a""#, files));
    let is = |constraint: &str, source: &str| (constraint.to_owned(), source.to_owned());
    assert_eq!(tool(&app(r#""engines": { "node": "20.x" }"#, &[])), is("20.x", "package.json#engines.node"));
    assert_eq!(tool(&app(r#""volta": { "node": "20.11.1" }"#, &[])), is("20.11.1", "package.json#volta.node"));
    assert_eq!(
        tool(&app(r#""devEngines": { "runtime": [{ "name": "bun" }, { "name": "node", "version": "^22" }] }"#, &[])),
        is("^22", "package.json#devEngines.runtime")
    );
    assert_eq!(of(&[(".nvmrc", "\u{feff}v20.1.0\r\n")]), is("v20.1.0", ".nvmrc"));
    assert_eq!(of(&[(".nvmrc", "# ours\nlts/iron # the line\n")]), is("20", ".nvmrc"));
    assert_eq!(of(&[(".node-version", "22.3\n")]), is("22.3", ".node-version"));
    assert_eq!(of(&[(".tool-versions", "ruby 3.3\nnodejs 20.9.0 18\n")]), is("20.9.0", ".tool-versions"));
    assert_eq!(of(&[("mise.toml", "[tools]\nnode = ['22', '20']\n")]), is("22", "mise.toml"));
    assert_eq!(of(&[(".mise.toml", "[tools]\nnode = 22\n")]), is("22", ".mise.toml"));
    assert_eq!(of(&[(".config/mise/config.toml", "[tools.node]\nversion = 'prefix:20'\n")]), is("20", ".config/mise/config.toml"));
    assert_eq!(of(&[(".prototools", "node = \"24\"\n")]), is("24", ".prototools"));
    assert_eq!(of(&[(".nvmrc", "system\n")]), is("22", ""), "what is on somebody's machine says nothing");
}

#[test]
fn the_stronger_of_two_versions_is_used_and_the_other_one_is_mentioned() {
    let plan = app(r#""engines": { "node": ">=20" }"#, &[(".nvmrc", "18.1.0")]).plan();
    assert_eq!((plan.tools[0].constraint.as_str(), &codes(&plan)[..]), (">=20", &["NODE_VERSIONS_DISAGREE"][..]));
    let plan = app(r#""engines": { "node": ">=20" }"#, &[(".nvmrc", "22.1.0"), (".node-version", "whatever")]).plan();
    assert_eq!(codes(&plan), ["NODE_VERSIONS_DISAGREE"], "only the one that is no version");
    assert!(plan.diagnostics[0].message.contains("`whatever` in .node-version"));
}

#[test]
fn a_name_that_only_one_machine_knows_is_left_aside_aloud() {
    let plan = app(r#""name": "a""#, &[(".nvmrc", "my-default\n")]).plan();
    assert_eq!((plan.tools[0].constraint.as_str(), plan.tools[0].is_default, &codes(&plan)[..]), ("22", true, &["NODE_VERSION_ALIAS"][..]));
    let plan = app(r#""name": "a""#, &[(".nvmrc", "ours"), (".node-version", "20.1.0")]).plan();
    assert_eq!((plan.tools[0].source.as_str(), &codes(&plan)[..]), (".node-version", &["NODE_VERSION_ALIAS"][..]));
    for wrong in ["lts/nothing", "20.x.y.z", "v20..1"] {
        let refusal = app(r#""name": "a""#, &[(".nvmrc", wrong)]).refusal();
        assert!(refusal.starts_with("NODE_VERSION_INVALID .nvmrc"), "{refusal}");
    }
}

#[test]
fn a_version_at_its_end_of_life_is_mentioned() {
    assert_eq!(codes(&app(r#""engines": { "node": "16.x" }"#, &[]).plan()), ["NODE_END_OF_LIFE"]);
    assert!(codes(&app(r#""engines": { "node": ">=16" }"#, &[]).plan()).is_empty());
}

#[test]
fn what_is_no_version_is_refused_with_its_line() {
    assert_eq!(
        app(r#""engines": { "node": "stable" }"#, &[]).refusal(),
        "NODE_VERSION_INVALID package.json:3 `stable` in package.json#engines.node is not a version or range of Node. Write a version \
         such as `22` or a range such as `>=20 <23`."
    );
    assert_eq!(
        app(r#""engines": { "node": ">=22 <20" }"#, &[]).refusal(),
        "NODE_VERSION_UNSATISFIABLE package.json:3 No version of Node fulfils `>=22 <20` in package.json#engines.node. Write a range that \
         holds a version, such as `>=20 <23`."
    );
    assert_eq!(
        app(r#""engines": { "iojs": "1.0.x" }"#, &[]).refusal(),
        "NODE_IOJS package.json:3 `engines.iojs` asks for io.js 1.0.x, which became Node in 2015 and is no longer made. Remove \
         `engines.iojs`, and name the wanted Node as `engines.node`."
    );
}
