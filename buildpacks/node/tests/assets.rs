//! What Node makes for applications of other languages.

mod support;

use support::{App, codes, commands};

const VITE: &str = r#"{ "scripts": { "build": "vite build", "dev": "vite" }, "devDependencies": { "vite": "^6.0.0" } }"#;

#[test]
fn beside_another_language_a_build_script_makes_assets_and_starts_nothing() {
    for manifest in ["composer.json", "manage.py", "requirements.txt", "public/index.php"] {
        let detection = App::new(&[("package.json", VITE), (manifest, "")]).detection();
        assert!(detection.score < 80, "{manifest}");
        assert_eq!(detection.provides, ["."], "{manifest}");
    }
    assert!(App::new(&[("package.json", VITE)]).detection().provides.is_empty(), "alone it is a site");
    let without = App::new(&[("package.json", r#"{ "devDependencies": { "prettier": "3" } }"#), ("manage.py", "")]).detection();
    assert!(without.provides.is_empty(), "without a script nothing is made");
}

#[test]
fn a_server_beside_another_language_is_an_application_and_a_watcher_is_none() {
    let score = |scripts: &str| {
        let manifest = format!(r#"{{ "scripts": {{ "build": "webpack", {scripts} }}, "devDependencies": {{ "webpack": "5" }} }}"#);
        App::new(&[("package.json", &manifest), ("composer.json", "{}")]).detection().score
    };
    assert!(score(r#""start": "node server.js""#) >= 80);
    for watcher in [r#""start": "webpack --watch""#, r#""start": "npm run dev", "dev": "webpack --watch""#, r#""start": "vite""#] {
        assert!(score(watcher) < 80, "{watcher}");
    }
}

#[test]
fn assets_are_installed_by_the_manifests_and_built_with_the_source() {
    let app = App::new(&[
        ("package.json", VITE),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\nimporters:\n  .:\n    devDependencies:\n      vite:\n        specifier: ^6.0.0\n        version: 6.0.0\n",
        ),
        ("artisan", ""),
        (".nvmrc", "20\n"),
    ]);
    let plan = app.assets(&["public"]);
    assert_eq!(
        commands(&plan),
        [
            "npm install --global --force --no-fund --no-audit pnpm@9",
            "pnpm install --frozen-lockfile --prod=false",
            "pnpm run build",
            "find /app -name node_modules -prune -exec rm -rf {} +",
        ]
    );
    assert_eq!(plan.tools[0].constraint, "20");
    assert!(plan.processes.is_empty() && plan.static_site.is_none());
    assert_eq!(plan.image.as_ref().unwrap().layers[0].origin, "build");
    assert!(!plan.steps[1].inputs[0].include.is_empty() && plan.steps[2].inputs[0].include.is_empty());
    assert_eq!(codes(&plan), ["NODE_MAKES_ASSETS"]);
}

#[test]
fn the_script_goes_by_other_names_too() {
    let mix = r#"{ "scripts": { "production": "mix --production" }, "devDependencies": { "laravel-mix": "6" } }"#;
    let plan = App::new(&[("package.json", mix), ("composer.json", "{}")]).assets(&["public"]);
    assert!(commands(&plan).contains(&"npm run production".to_owned()), "{:?}", commands(&plan));
}

#[test]
fn packages_that_composer_brings_are_installed_where_it_has_brought_them() {
    let manifest =
        r#"{ "scripts": { "build": "encore production" }, "devDependencies": { "@symfony/ux": "file:vendor/symfony/ux/assets" } }"#;
    let plan = App::new(&[("package.json", manifest), ("composer.json", "{}")]).assets(&["public"]);
    assert!(plan.steps[0].inputs[0].include.is_empty(), "all of the source, and what others lay beside it");
}
