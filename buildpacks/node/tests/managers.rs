//! Which package manager is planned, in which version, and when its lockfile does not do.

mod support;

use support::{App, codes, commands};

const MANIFEST: &str = r#"{ "scripts": { "start": "node a.js" }, "dependencies": { "koa": "^3.0.0" }"#;
const PNPM: &str =
    "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      koa:\n        specifier: ^3.0.0\n        version: 3.0.1\n";
const NPM: &str = r#"{ "lockfileVersion": 3, "packages": { "node_modules/koa": { "version": "3.0.1" } } }"#;
const YARN: &str = "# yarn lockfile v1\n\nkoa@^3.0.0:\n  version \"3.0.1\"\n";
const BUN: &str = "{\n  \"lockfileVersion\": 1,\n  \"workspaces\": {\n    \"\": {\n      \"dependencies\": {\n        \"koa\": \"^3.0.0\",\n      },\n    },\n  },\n}\n";
const BERRY: &str = "__metadata:\n  version: 8\n\n\"koa@npm:^3.0.0\":\n  version: 3.0.1\n";

fn app(keys: &str, files: &[(&str, &str)]) -> App {
    let manifest = format!("{MANIFEST}{keys} }}");
    let files: Vec<(&str, &str)> = [("package.json", manifest.as_str())].into_iter().chain(files.iter().copied()).collect();
    App::new(&files)
}

fn manager(app: &App) -> String {
    app.detection().package_manager.unwrap()
}

/// What the manager itself is installed as.
fn installed(app: &App) -> String {
    commands(&app.plan())[0].split_whitespace().last().unwrap().to_owned()
}

#[test]
fn the_stated_manager_goes_before_any_lockfile() {
    let stated = app(r#", "packageManager": "pnpm@9.12.1+sha512.abc""#, &[("pnpm-lock.yaml", PNPM), ("yarn.lock", YARN)]);
    assert_eq!((manager(&stated).as_str(), installed(&stated).as_str()), ("pnpm", "pnpm@9.12.1"));
    assert_eq!(codes(&stated.plan()), ["NODE_LOCKFILE_UNUSED"]);
    let development = app(r#", "devEngines": { "packageManager": { "name": "yarn", "version": "^1.22" } }"#, &[("yarn.lock", YARN)]);
    assert_eq!((manager(&development).as_str(), installed(&development).as_str()), ("yarn", "yarn@^1.22"));
    let unlocked = app(r#", "packageManager": "pnpm@9.12.1""#, &[("package-lock.json", NPM)]);
    assert_eq!(codes(&unlocked.plan()), ["NODE_LOCKFILE_UNUSED", "NODE_NO_LOCKFILE"]);
}

#[test]
fn a_lockfile_tells_its_manager_and_its_version() {
    for (file, text, name, package) in [
        ("pnpm-lock.yaml", PNPM, "pnpm", "pnpm@9"),
        ("pnpm-lock.yaml", "lockfileVersion: 5.4\n\nspecifiers:\n  koa: ^3.0.0\n", "pnpm", "pnpm@7"),
        ("yarn.lock", YARN, "yarn", "yarn@1"),
        ("yarn.lock", BERRY, "yarn", "@yarnpkg/cli-dist@4"),
        ("bun.lock", "{}", "bun", "bun@1"),
        ("bun.lockb", "", "bun", "bun@1"),
    ] {
        let app = app("", &[(file, text)]);
        assert_eq!((manager(&app).as_str(), installed(&app).as_str()), (name, package), "{file}");
    }
    assert_eq!(manager(&app("", &[("npm-shrinkwrap.json", NPM)])), "npm");
    assert_eq!(installed(&app(r#", "engines": { "pnpm": "9.1.x" }"#, &[("pnpm-lock.yaml", PNPM)])), "pnpm@9.1.x");
    assert_eq!(installed(&app(r#", "engines": { "pnpm": ">=8" }"#, &[("pnpm-lock.yaml", PNPM)])), "pnpm@9");
}

#[test]
fn other_traces_decide_between_lockfiles() {
    let both = [("package-lock.json", NPM), ("pnpm-lock.yaml", PNPM)];
    assert_eq!(manager(&app("", &[&both[..], &[("pnpm-workspace.yaml", "packages:\n")]].concat())), "pnpm");
    assert_eq!(manager(&app(r#", "engines": { "pnpm": ">=9" }"#, &both)), "pnpm");
    let only = App::new(
        &[&[("package.json", r#"{ "scripts": { "preinstall": "npx only-allow pnpm", "start": "node a.js" } }"#)], &both[..]].concat(),
    );
    assert_eq!(manager(&only), "pnpm");
    assert_eq!(manager(&app("", &[("bun.lockb", ""), ("yarn.lock", YARN)])), "bun", "which writes both where it is asked to");
    assert_eq!(
        app("", &both).refusal(),
        "NODE_LOCKFILES_CONFLICT pnpm-lock.yaml `package-lock.json` and `pnpm-lock.yaml` come from different package managers, and nothing \
         says which is right. Delete the lockfile of the package manager that is not used, or name the right one as `packageManager` in \
         package.json."
    );
}

#[test]
fn what_names_no_manager_or_no_version_of_it_is_refused() {
    for (keys, start) in [
        (
            r#", "packageManager": "cargo@1.0.0""#,
            "NODE_PACKAGE_MANAGER_INVALID package.json:1 `packageManager` is `cargo@1.0.0`, which names no",
        ),
        (
            r#", "packageManager": "pnpm@nine""#,
            "NODE_PACKAGE_MANAGER_INVALID package.json:1 `packageManager` is `pnpm@nine`, whose version",
        ),
        (
            r#", "engines": { "yarn": "1.2z" }"#,
            "NODE_PACKAGE_MANAGER_INVALID package.json:1 `engines.yarn` is `1.2z`, which no yarn fulfils.",
        ),
        (r#", "engines": { "yarn": "~0.16" }"#, "NODE_PACKAGE_MANAGER_UNSUPPORTED package.json:1 yarn `~0.16` cannot install"),
        (
            r#", "packageManager": "yarn@1.22.0", "engines": { "yarn": ">=1.22.4" }"#,
            "NODE_PACKAGE_MANAGER_CONTRADICTS_ENGINES package.json:1 `packageManager` asks for yarn 1.22.0, but `engines.yarn` for `>=1.22.4`",
        ),
    ] {
        let refusal = app(keys, &[("yarn.lock", YARN)]);
        let refusal = if keys.contains("cargo") || keys.contains("nine") { app(keys, &[]).refusal() } else { refusal.refusal() };
        assert!(refusal.starts_with(start), "{refusal}");
    }
}

#[test]
fn a_manager_that_does_not_run_on_the_wanted_node_is_refused() {
    let refusal = app(r#", "engines": { "node": "16.x", "npm": "10.x" }"#, &[("package-lock.json", NPM)]).refusal();
    assert!(
        refusal.starts_with(
            "NODE_VERSIONS_CONTRADICT package.json:1 npm 10.x needs Node ^18.17 || >=20.5, but this application asks for Node 16.x."
        ),
        "{refusal}"
    );
    assert_eq!(
        installed(&app(r#", "engines": { "node": "14.x" }"#, &[("pnpm-workspace.yaml", "packages:\n")])),
        "pnpm@7",
        "nobody asked for another"
    );
}

#[test]
fn the_two_yarns_are_not_taken_for_each_other() {
    let refusal = app(r#", "engines": { "yarn": "1.x" }"#, &[("yarn.lock", BERRY)]).refusal();
    assert!(
        refusal.starts_with("NODE_LOCKFILE_CONTRADICTS_MANAGER package.json:1 `engines.yarn` asks for Yarn 1, which cannot read"),
        "{refusal}"
    );
    let refusal = app("", &[("yarn.lock", BERRY), (".yarnrc.yml", "yarnPath: .yarn/releases/yarn-4.5.0.cjs\n")]).refusal();
    assert!(refusal.starts_with("NODE_YARN_RELEASE_MISSING .yarnrc.yml `.yarnrc.yml` names `.yarn/releases/yarn-4.5.0.cjs`"), "{refusal}");
    let own = [("yarn.lock", BERRY), (".yarnrc.yml", "yarnPath: y.cjs\n"), ("y.cjs", "")];
    assert_eq!(manager(&app(r#", "engines": { "yarn": "1.x" }"#, &own)), "yarn", "any Yarn hands over to the application's own");
    app(r#", "engines": { "yarn": "1.x" }"#, &own).plan();
    let old = app(r#", "packageManager": "yarn@4.5.0""#, &[("yarn.lock", YARN)]).plan();
    assert_eq!(codes(&old), ["NODE_LOCKFILE_OLD_FORMAT", "NODE_NO_LOCKFILE"]);
}

#[test]
fn since_its_fourth_version_yarn_installs_for_production_alone() {
    let develops = r#", "devDependencies": { "koa": "^2.0.0" }"#;
    let plan = app(develops, &[("yarn.lock", BERRY)]).plan();
    assert_eq!(commands(&plan).last().unwrap(), "yarn workspaces focus --all --production");
    assert!(codes(&plan).is_empty(), "{:?}", codes(&plan));
    let third = app(&format!(r#"{develops}, "packageManager": "yarn@3.8.1""#), &[("yarn.lock", BERRY)]).plan();
    assert_eq!(codes(&third), ["NODE_DEV_DEPENDENCIES_KEPT"]);
}

#[test]
fn a_lockfile_out_of_step_with_its_manifest_is_refused() {
    let missing = r#"{ "lockfileVersion": 3, "packages": { "": {}, "node_modules/debug": { "version": "4.4.1" } } }"#;
    assert_eq!(
        app("", &[("package-lock.json", missing)]).refusal(),
        "NODE_LOCKFILE_OUT_OF_STEP package-lock.json package.json asks for `koa` ^3.0.0, which is not in `package-lock.json`. Run `npm \
         install` and commit the changed `package-lock.json`."
    );
    let other = NPM.replace("3.0.1", "2.9.0");
    assert!(app("", &[("package-lock.json", &other)]).refusal().contains("`koa` ^3.0.0, but `package-lock.json` holds 2.9.0."));
    for (file, text) in [
        ("yarn.lock", YARN.replace("^3.0.0", "^2.0.0")),
        ("yarn.lock", BERRY.replace("^3.0.0", "^2.0.0")),
        ("pnpm-lock.yaml", PNPM.replace("^3.0.0", "^2.0.0")),
        ("bun.lock", BUN.replace("^3.0.0", "^2.0.0")),
    ] {
        assert!(app("", &[(file, &text)]).refusal().starts_with(&format!("NODE_LOCKFILE_OUT_OF_STEP {file} ")), "{text}");
    }
}

#[test]
fn what_a_lockfile_states_for_good_reasons_of_its_own_is_in_step() {
    let twice = r#", "devDependencies": { "koa": "^2.0.0" }"#;
    let overridden = r#", "devDependencies": { "debug": "4" }, "overrides": { "debug": "3" }"#;
    for (file, text) in [("package-lock.json", NPM), ("yarn.lock", YARN), ("yarn.lock", BERRY), ("pnpm-lock.yaml", PNPM), ("bun.lock", BUN)]
    {
        app(twice, &[(file, text)]).plan();
        app(overridden, &[(file, text)]).plan();
        app(r#", "devDependencies": { "a": "file:a", "b": "github:b/b", "c": "workspace:*", "d": "catalog:" }"#, &[(file, text)]).plan();
    }
    let sibling = r#", "workspaces": ["packages/*"], "devDependencies": { "ui": "*" }"#;
    app(sibling, &[("yarn.lock", YARN), ("packages/ui/package.json", "{}")]).plan();
}

#[test]
fn a_lockfile_that_cannot_be_read_is_refused() {
    let refusal = app("", &[("package-lock.json", "{\n  \"lockfileVersion\": 3,\n")]).refusal();
    assert!(refusal.starts_with("NODE_LOCKFILE_INVALID package-lock.json:"), "{refusal}");
    let refusal = app("", &[("yarn.lock", "# yarn lockfile v1\n<<<<<<< HEAD\n")]).refusal();
    assert!(
        refusal.starts_with("NODE_LOCKFILE_INVALID yarn.lock:2 `yarn.lock` holds an unresolved merge conflict at line 2."),
        "{refusal}"
    );
    let plan = app("", &[("package-lock.json", "{}")]).plan();
    assert_eq!(codes(&plan), ["NODE_LOCKFILE_OLD_FORMAT", "NODE_NO_LOCKFILE"]);
    assert_eq!(commands(&plan)[0], "npm install --no-audit --no-fund");
}

#[test]
fn an_npm_from_before_scopes_is_refused_with_a_scoped_dependency() {
    let app = |npm: &str, name: &str| {
        let manifest =
            format!(r#"{{ "engines": {{ "npm": "{npm}" }}, "scripts": {{ "start": "node a.js" }}, "dependencies": {{ "{name}": "1" }} }}"#);
        App::new(&[("package.json", &manifest)])
    };
    let refusal = app("~1.4", "@types/node").refusal();
    assert!(
        refusal
            .starts_with("NODE_VERSIONS_CONTRADICT package.json:1 `engines.npm` asks for npm `~1.4`, which cannot install `@types/node`")
    );
    app("~1.4", "koa").plan();
    app(">=1.4", "@types/node").plan();
}

#[test]
fn a_lockfile_that_locks_nothing_is_none() {
    let empty = r#"{ "name": "a", "lockfileVersion": 3, "requires": true, "packages": { "": { "name": "a" } } }"#;
    let plan = app("", &[("package-lock.json", empty)]).plan();
    assert_eq!(codes(&plan), ["NODE_LOCKFILE_EMPTY", "NODE_NO_LOCKFILE"]);
    assert!(commands(&plan)[0].starts_with("npm install"), "{:?}", commands(&plan));
    let other = r#"{ "lockfileVersion": 3, "packages": { "node_modules/left-pad": { "version": "1.0.0" } } }"#;
    assert!(app("", &[("package-lock.json", other)]).refusal().starts_with("NODE_LOCKFILE_OUT_OF_STEP"));
}
