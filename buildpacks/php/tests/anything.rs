//! Whatever the files hold, the answer is a plan or a refusal.

use std::fs;

use proptest::prelude::*;
use slipway_buildpack_php::Php;
use slipway_buildpack_sdk::{Buildpack, Context, Detected, Source};

/// Asks for a plan of a tree with these files.
fn ask(files: &[(&str, &[u8])]) {
    let tree = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(tree.path().join(name), content).unwrap();
    }
    let source = Source::open(tree.path(), ".").unwrap();
    let context = Context::default();
    if let Detected::Yes(detection) = Php.detect(&source, &context) {
        let first = Php.plan(&source, &context, &detection);
        assert_eq!(first, Php.plan(&source, &context, &detection));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bytes_of_any_kind_are_answered(manifest: Vec<u8>, lock: Vec<u8>, procfile: Vec<u8>) {
        ask(&[("composer.json", &manifest), ("composer.lock", &lock), ("Procfile", &procfile), ("index.php", b"")]);
    }

    #[test]
    fn constraints_and_commands_of_any_kind_are_answered(
        php in "[0-9.^~<>=|, *xv@-]{0,24}|\\PC{0,24}",
        locked in "[0-9.^~<>=|, *xv@-]{0,24}",
        launcher in "(vendor/bin/)?heroku-php-apache2 [-a-zA-Z0-9_./ ]{0,24}",
    ) {
        let manifest = serde_json::json!({
            "require": { "php": php, "a/b": locked, "ext-gd": "*" },
            "scripts": { "start": launcher },
            "extra": { "drupal-scaffold": { "locations": { "web-root": launcher } } },
        });
        let lock = serde_json::json!({ "packages": [{ "name": "a/b", "version": "1.2.3", "require": { "php": locked } }] });
        let procfile = format!("web: {launcher}\n");
        ask(&[
            ("composer.json", manifest.to_string().as_bytes()),
            ("composer.lock", lock.to_string().as_bytes()),
            ("Procfile", procfile.as_bytes()),
            ("index.php", b""),
        ]);
    }
}
