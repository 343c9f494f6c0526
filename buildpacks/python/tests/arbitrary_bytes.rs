//! Whatever is in a manifest, the buildpack answers.

mod support;

use proptest::prelude::{ProptestConfig, any, prop, prop_oneof, proptest};
use proptest::strategy::Strategy;
use slipway_buildpack_python::Python;
use slipway_buildpack_sdk::{Buildpack, Detected};

const FILES: [&str; 22] = [
    "requirements.txt",
    "requirements/base.txt",
    "pyproject.toml",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "setup.py",
    "setup.cfg",
    ".python-version",
    "runtime.txt",
    ".tool-versions",
    "mise.toml",
    "environment.yml",
    "Procfile",
    ".flaskenv",
    "main.py",
    "wsgi.py",
    "manage.py",
    "shop/settings.py",
    "mkdocs.yml",
];

/// Words that lead far into the parsers, in any order.
const WORDS: [&str; 40] = [
    "\n",
    "\r\n",
    " ",
    "=",
    "==",
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    "#",
    "@",
    "~",
    "^",
    "||",
    "3.12",
    "999999999999999999999.1",
    "*",
    "[project]\n",
    "[tool.poetry.dependencies]\n",
    "[packages]\n",
    "[[package]]\n",
    "requires-python",
    "python",
    "name",
    "version",
    "dependencies",
    "flask",
    "django",
    "-r ",
    "-e ",
    "../",
    "app = Flask(",
    "from flask import ",
    "env('SECRET",
    "STATIC_ROOT =",
    "é\u{feff}\0",
];

fn content() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..30).prop_map(|words| words.concat().into_bytes());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        words.clone(),
        words.prop_map(|bytes| [0xff, 0xfe].into_iter().chain(bytes.into_iter().flat_map(|byte| [byte, 0])).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_manifest_get_an_answer(files in prop::collection::btree_map(prop::sample::select(&FILES[..]), content(), 1..6)) {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, bytes.as_slice())).collect();
        let app = support::app_of_bytes(&files);
        if let Detected::Yes(detection) = app.detect() {
            let first = Python.plan(&app.source(), &app.context, &detection);
            assert_eq!(first, Python.plan(&app.source(), &app.context, &detection), "the same source has the same plan");
        }
    }
}
