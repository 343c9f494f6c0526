//! What is planned for small applications, natively.

use std::path::Path;

use slipway_buildpack_php::Php;
use slipway_buildpack_sdk::{Base, Buildpack, Command, Context, Detected, Detection, Fragment, Refusal, Source, argv};

fn source(name: &str) -> Source {
    Source::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), ".").unwrap()
}

fn detection(name: &str) -> Detection {
    match Php.detect(&source(name), &Context::default()) {
        Detected::Yes(detection) => detection,
        other => panic!("{other:?}"),
    }
}

fn plan(name: &str) -> Result<Fragment, Refusal> {
    Php.plan(&source(name), &Context::default(), &detection(name))
}

fn config(plan: &Fragment) -> &str {
    &plan.image.as_ref().unwrap().files[0].content
}

#[test]
fn plain_pages_are_served_from_the_root_and_the_manifests_are_not() {
    let plan = plan("plain").unwrap();
    assert!(plan.steps.is_empty());
    assert!(config(&plan).contains("DocumentRoot /app\n") && config(&plan).contains("Listen ${PORT}\n"));
    assert!(config(&plan).contains("vendor/") && !config(&plan).contains("FallbackResource"));
    assert_eq!(
        plan.processes[0].command,
        Command::Argv(["apache2-foreground", "-f", "/etc/slipway/apache2.conf"].map(str::to_owned).to_vec())
    );
}

#[test]
fn packages_are_installed_by_the_manifests_alone_and_extensions_before_them() {
    let plan = plan("slim").unwrap();
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["php", "composer", "install", "build"]);
    assert_eq!(plan.steps[2].inputs[1].include, ["composer.json", "composer.lock"]);
    assert_eq!(plan.image.as_ref().unwrap().base, Base::Step("php".into()));
    assert!(config(&plan).contains("DocumentRoot /app/public\n") && config(&plan).contains("FallbackResource /index.php"));
    assert_eq!(detection("slim").framework.as_deref(), Some("slim"));
}

#[test]
fn laravel_asks_for_assets_and_brings_migrations() {
    let plan = plan("laravel").unwrap();
    let tools: Vec<_> = plan.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["php", "composer"]);
    let detection = detection("laravel");
    assert_eq!((detection.requires[0].name.as_str(), detection.requires[0].optional), ("public", true));
    assert_eq!(detection.provides, ["vendor"]);
    assert_eq!(plan.processes[1].name, "release");
}

#[test]
fn laravel_makes_its_caches_when_it_starts_and_not_when_it_is_built() {
    let plan = plan("laravel").unwrap();
    assert_eq!(plan.processes[0].command, Command::Argv(vec!["/etc/slipway/start-laravel".into()]));
    let script = &plan.image.as_ref().unwrap().files[1];
    assert!(script.executable && script.content.contains("php artisan \"$kind:cache\""), "{}", script.content);
    assert!(script.content.ends_with("exec apache2-foreground -f /etc/slipway/apache2.conf\n"));
    let builds: Vec<_> = plan.steps.iter().flat_map(|step| &step.run).map(|run| format!("{:?}", run.command)).collect();
    assert!(builds.iter().all(|command| !command.contains(":cache")), "{builds:?}");
}

#[test]
fn symfony_runs_on_what_its_locked_packages_run_on() {
    let plan = plan("symfony").unwrap();
    assert_eq!(
        (plan.tools[0].constraint.as_str(), plan.tools[0].source.as_str()),
        ("8.1.* || 8.2.*", "composer.json#require.php and composer.lock")
    );
    assert_eq!(plan.steps[0].run[0].command, argv(["docker-php-ext-install", "pdo_mysql", "pdo_pgsql"]));
    assert!(config(&plan).contains("DocumentRoot /app/public\n"));
    assert_eq!(plan.steps.last().unwrap().run[1].command, argv(["composer", "run-script", "--no-dev", "auto-scripts"]));
}

#[test]
fn a_front_controller_that_a_scaffold_writes_need_not_be_committed() {
    assert_eq!(detection("drupal").framework.as_deref(), Some("drupal"));
    assert!(config(&plan("drupal").unwrap()).contains("DocumentRoot /app/web\n"));
}

#[test]
fn wordpress_keeps_the_vendor_directory_that_it_brings() {
    let plan = plan("wordpress").unwrap();
    assert_eq!(detection("wordpress").framework.as_deref(), Some("wordpress"));
    assert_eq!(plan.image.as_ref().unwrap().layers[0].exclude, [".git", "**/node_modules"]);
    assert!(config(&plan).contains("FallbackResource /index.php"));
}

#[test]
fn a_launcher_of_the_procfile_gives_the_document_root_and_is_stood_in_for() {
    let plan = plan("launcher").unwrap();
    let files = &plan.image.as_ref().unwrap().files;
    assert!(files[0].content.contains("DocumentRoot /app/site\n") && files[0].content.ends_with("IncludeOptional /app/apache.conf\n"));
    assert_eq!((files[1].path.as_str(), files[1].executable), ("/app/vendor/bin/heroku-php-apache2", true));
    assert_eq!(files[1].content, "#!/bin/sh\nexec apache2-foreground -f /etc/slipway/apache2.conf\n");
    assert_eq!(plan.steps[1].id, "install");
}

#[test]
fn without_a_page_the_start_script_is_run() {
    assert_eq!(plan("command").unwrap().processes[0].command, Command::Shell("php bin/server.php".into()));
    assert!(detection("command").score > 80);
}

#[test]
fn a_library_is_planned_without_processes_and_told_what_is_missing() {
    let plan = plan("library").unwrap();
    assert!(plan.processes.is_empty() && detection("library").score < 80);
    let codes: Vec<_> = plan.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
    assert_eq!(codes, ["PHP_NO_LOCKFILE", "PHP_NO_START"]);
}

#[test]
fn what_cannot_work_is_refused_with_place_and_remedy() {
    let Detected::Refused(broken) = Php.detect(&source("broken-manifest"), &Context::default()) else { panic!() };
    let said = |refusal: &Refusal| {
        format!(
            "{} {}:{} {} {}",
            refusal.code,
            refusal.file.as_deref().unwrap_or(""),
            refusal.line.unwrap_or(0),
            refusal.message,
            refusal.fix
        )
    };
    assert_eq!(
        said(&broken),
        "PHP_MANIFEST_INVALID composer.json:4 `composer.json` is not valid: trailing comma at line 4 column 3. Correct `composer.json`."
    );
    assert_eq!(
        said(&plan("stale-lock").unwrap_err()),
        "PHP_LOCKFILE_STALE composer.lock:0 composer.json requires `monolog/monolog`, which composer.lock does not hold. Run `composer \
         update --lock`, or `composer update` for the packages named, and commit composer.lock."
    );
    assert_eq!(
        said(&plan("unknown-version").unwrap_err()),
        "PHP_VERSION_INVALID composer.json:0 `eight` in composer.json#require.php is not a version or range of PHP. Write a version such as \
         `8.2` or a range such as `^8.2`."
    );
}
