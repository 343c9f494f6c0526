//! What answers requests: a program, files, or nothing that anybody named.

mod support;

use support::{App, codes, commands, serves};

fn app(scripts: &str, dependencies: &[&str], files: &[(&str, &str)]) -> App {
    let dependencies: Vec<_> = dependencies.iter().map(|name| format!("\"{name}\": \"*\"")).collect();
    let manifest = format!("{{ \"scripts\": {{ {scripts} }}, \"dependencies\": {{ {} }} }}", dependencies.join(", "));
    let files: Vec<(&str, &str)> = [("package.json", manifest.as_str())].into_iter().chain(files.iter().copied()).collect();
    App::new(&files)
}

const BUILD: &str = r#""build": "x build""#;

#[test]
fn frameworks_that_make_files_are_served_as_files() {
    for (dependencies, dir, files) in [
        (&["vite"][..], "/app/dist", &[][..]),
        (&["astro"], "/app/dist", &[]),
        (&["react-scripts"], "/app/build", &[]),
        (&["@docusaurus/core"], "/app/build", &[]),
        (&["@11ty/eleventy"], "/app/_site", &[]),
        (&["gatsby"], "/app/public", &[]),
        (&["next"], "/app/out", &[("next.config.mjs", "export default { output: 'export' }")]),
        (&["next"], "/app/site", &[("next.config.ts", "const c = { output: 'export', distDir: 'site' }")]),
        (&["@react-router/dev"], "/app/build/client", &[("react-router.config.ts", "export default { ssr: false }")]),
        (&["@sveltejs/kit"], "/app/build", &[("svelte.config.js", "import adapter from '@sveltejs/adapter-static'")]),
        (&["expo", "react-native-web"], "/app/dist", &[]),
        (&["@angular/core"], "/app/dist/shop/browser", &[("angular.json", ANGULAR)]),
    ] {
        assert_eq!(serves(&app(BUILD, dependencies, files).plan()), format!("files of {dir}"), "{dependencies:?}");
    }
    assert_eq!(serves(&app(r#""build": "nuxt generate""#, &["nuxt"], &[]).plan()), "files of /app/.output/public");
    assert_eq!(serves(&app(r#""docs:build": "vitepress build docs""#, &["vitepress"], &[]).plan()), "files of /app/docs/.vitepress/dist");
}

const ANGULAR: &str =
    r#"{ "projects": { "shop": { "architect": { "build": { "builder": "@angular/build:application", "options": {} } } } } }"#;

#[test]
fn frameworks_that_make_a_server_are_started() {
    for (dependencies, command, files) in [
        (&["next"][..], "node_modules/.bin/next start", &[][..]),
        (&["nuxt"], "node .output/server/index.mjs", &[]),
        (&["astro", "@astrojs/node"], "node dist/server/entry.mjs", &[]),
        (&["@sveltejs/kit", "@sveltejs/adapter-node"], "node build", &[]),
        (&["@nestjs/core"], "node dist/main.js", &[]),
        (&["@tanstack/react-start"], "node .output/server/index.mjs", &[]),
        (&["@react-router/dev"], "node_modules/.bin/react-router-serve build/server/index.js", &[]),
        (&["express"], "node server.js", &[("server.js", "")]),
    ] {
        assert_eq!(serves(&app(BUILD, dependencies, files).plan()), command, "{dependencies:?}");
    }
    let angular = app(r#""build": "ng build", "serve:ssr:shop": "node dist/shop/server/server.mjs""#, &["@angular/core"], &[]);
    assert_eq!(serves(&angular.plan()), "node dist/shop/server/server.mjs");
}

#[test]
fn a_start_script_that_is_a_development_server_gives_way_to_what_the_framework_makes() {
    assert_eq!(serves(&app(r#""build": "vite build", "start": "vite preview""#, &["vite"], &[]).plan()), "files of /app/dist");
    let through = r#""build": "vite build", "dev": "cross-env A=1 vite", "start": "npm run dev""#;
    assert_eq!(serves(&app(through, &["vite"], &[]).plan()), "files of /app/dist");
    assert_eq!(serves(&app(r#""build": "next build", "start": "next dev""#, &["next"], &[]).plan()), "node_modules/.bin/next start");
    assert_eq!(serves(&app(r#""start": "node server.js""#, &["vite", "express"], &[]).plan()), "npm run start");
}

#[test]
fn a_main_that_the_build_makes_is_started() {
    let manifest = r#"{ "main": "./dist/index.js", "scripts": { "build": "tsc" }, "dependencies": { "fastify": "5" } }"#;
    assert_eq!(serves(&App::new(&[("package.json", manifest)]).plan()), "node dist/index.js");
    let library = manifest.replace("fastify", "lodash");
    assert_eq!(serves(&App::new(&[("package.json", &library)]).plan()), "nothing");
}

#[test]
fn a_script_alone_is_an_application_unless_it_is_beside_a_page() {
    let alone = App::new(&[("server.js", "")]);
    assert_eq!(serves(&alone.plan()), "node server.js");
    assert!(alone.detection().score < 60);
    assert!(App::new(&[("index.js", ""), ("index.html", "")]).plan().static_site.is_some());
    assert_eq!(serves(&App::new(&[("lib/run.js", ""), ("Procfile", "web: node lib/run.js")]).plan()), "node lib/run.js");
}

#[test]
fn without_a_way_to_start_all_else_is_planned_with_a_warning() {
    let plan = app(BUILD, &["lodash"], &[]).plan();
    assert_eq!((serves(&plan).as_str(), commands(&plan)[1].as_str()), ("nothing", "npm run build"));
    assert_eq!(codes(&plan), ["NODE_NO_START", "NODE_NO_LOCKFILE"]);
    assert!(plan.image.is_some() && plan.ports.is_empty() && plan.health.is_none());
    let plan = app(BUILD, &["@sveltejs/kit", "@sveltejs/adapter-auto"], &[]).plan();
    assert!(plan.diagnostics[0].message.contains("`@sveltejs/adapter-node`"));
}

const ROOT: &str = r#"{ "private": true, "workspaces": ["apps/*", "packages/*"], "scripts": { "build": "turbo run build" } }"#;
const SERVER: &str = r#"{ "name": "api", "scripts": { "start": "node server.js", "build": "tsc" }, "dependencies": { "hono": "4" } }"#;
const LIBRARY: &str = r#"{ "name": "ui", "main": "index.js" }"#;

#[test]
fn the_only_package_of_a_workspace_that_can_be_started_is_the_application() {
    let files =
        [("package.json", ROOT), ("apps/api/package.json", SERVER), ("packages/ui/package.json", LIBRARY), ("packages/ui/index.js", "")];
    let app = App::new(&files);
    let plan = app.plan();
    assert_eq!(serves(&plan), "cd apps/api && exec npm run start");
    assert_eq!(app.detection().framework.as_deref(), Some("hono"));
    assert_eq!(codes(&plan), ["NODE_WORKSPACE_APP", "NODE_NO_LOCKFILE"]);
    assert!(commands(&plan).contains(&"npm run build".to_owned()), "the root's own build knows the order");
    let site = r#"{ "scripts": { "build": "vite build" }, "devDependencies": { "vite": "6" } }"#;
    let plan = App::new(&[("package.json", r#"{ "workspaces": ["web"] }"#), ("web/package.json", site)]).plan();
    assert_eq!(serves(&plan), "files of /app/web/dist");
    assert!(commands(&plan).contains(&"cd web && npm run build".to_owned()));
}

#[test]
fn of_several_packages_none_is_chosen_and_all_are_listed() {
    let next = r#"{ "scripts": { "start": "next start" }, "dependencies": { "next": "15" } }"#;
    let app = App::new(&[
        ("package.json", ROOT),
        ("apps/web/package.json", next),
        ("apps/docs/package.json", next),
        ("packages/ui/package.json", LIBRARY),
    ]);
    let plan = app.plan();
    assert_eq!((serves(&plan).as_str(), codes(&plan)[0]), ("nothing", "NODE_WORKSPACE_ROOT"));
    assert!(plan.diagnostics[0].message.contains("did you mean `apps/docs` or `apps/web`?"), "{}", plan.diagnostics[0].message);
    assert_eq!(app.detection().framework.as_deref(), Some("next"), "both are");
}

#[test]
fn a_lifecycle_script_of_a_package_widens_the_install_too() {
    let package = r#"{ "name": "ui", "scripts": { "prepare": "tsc" } }"#;
    let plan =
        App::new(&[("package.json", r#"{ "workspaces": ["ui"], "scripts": { "start": "node a.js" } }"#), ("ui/package.json", package)])
            .plan();
    assert!(plan.steps[0].inputs[0].include.is_empty() && plan.diagnostics.iter().any(|known| known.message.contains("`prepare` of `ui`")));
}

#[test]
fn scripts_that_other_platforms_know_are_run_where_they_run_them() {
    let scripts = r#""heroku-prebuild": "a", "build": "b", "heroku-postbuild": "c", "start": "node a.js""#;
    let plan = app(scripts, &["koa"], &[]).plan();
    assert_eq!(commands(&plan)[..3], ["npm run heroku-prebuild", "npm install --no-audit --no-fund", "npm run heroku-postbuild"]);
}
