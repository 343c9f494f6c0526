//! Whatever is in the files, there is an answer: a plan, or a refusal that says where to look.

mod support;

use proptest::prelude::*;
use slipway_buildpack_node::Node;
use slipway_buildpack_sdk::{Buildpack, Context, Detected, Source};
use support::App;

#[test]
fn a_byte_order_mark_and_foreign_line_ends_are_no_matter() {
    let app = App::new(&[
        ("package.json", "\u{feff}{\r\n  \"engines\": { \"node\": \"20\" },\r\n  \"scripts\": { \"start\": \"node a.js\" }\r\n}\r\n"),
        ("Procfile", "web: node b.js\r\n"),
        (".tool-versions", "nodejs 18\r\n"),
    ]);
    assert_eq!(support::serves(&app.plan()), "node b.js");
    assert_eq!(app.plan().tools[0].constraint, "20");
}

#[test]
fn a_broken_manifest_is_refused_with_line_column_and_what_is_wrong() {
    for (text, expected) in [
        (
            "{\n  // ours\n  \"name\": \"a\"\n}",
            "package.json:2 `package.json` is not valid: key must be a string at line 2 column 3. Remove the comment",
        ),
        ("{\n  \"name\": \"a\",\n}", "package.json:3 `package.json` is not valid: trailing comma at line 3 column 1. Remove the comma"),
        ("", "package.json:1 `package.json` is not valid: EOF while parsing a value at line 1 column 0. Write at least `{}`"),
        ("[]", "package.json:1 `package.json` is not an object."),
        ("{\n<<<<<<< HEAD\n", "package.json:2 `package.json` holds an unresolved merge conflict at line 2."),
    ] {
        let refusal = App::new(&[("package.json", text)]).refusal();
        assert!(refusal.starts_with(&format!("NODE_MANIFEST_INVALID {expected}")), "{refusal}");
    }
}

#[test]
fn a_directory_of_very_many_files_is_planned_too() {
    let app = App::new(&[("package.json", r#"{ "workspaces": ["packages/*"], "scripts": { "start": "node a.js" } }"#)]);
    let dir = app.path();
    for number in 0..2_500 {
        std::fs::create_dir_all(dir.join(format!("packages/p{number}"))).unwrap();
        std::fs::write(dir.join(format!("packages/p{number}/package.json")), r#"{ "scripts": { "start": "node a.js" } }"#).unwrap();
    }
    assert_eq!(support::serves(&app.plan()), "npm run start");
}

/// Every file that is read, so that each of them gets bytes that no tool wrote.
const READ: [&str; 20] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "bun.lock",
    ".yarnrc.yml",
    ".nvmrc",
    ".node-version",
    ".tool-versions",
    "mise.toml",
    ".prototools",
    "Procfile",
    "Staticfile",
    "angular.json",
    "next.config.js",
    "svelte.config.js",
    "vite.config.ts",
    "apps/web/package.json",
];

/// Pieces of what such files are made of, put together at random: deeper than mere bytes would come.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\n",
        "\r\n",
        " ",
        "  ",
        "- ",
        "'",
        "*",
        "**",
        "\u{feff}",
        "é",
        "\u{0}",
        "//",
        "<<<<<<< ",
        "=",
        "@",
        "^",
        "~",
        ">=",
        "<",
        "||",
        " - ",
        "1",
        "0.",
        "18446744073709551616",
        "x",
        "v",
        "lts/*",
        "-",
        "+",
        "..",
        "/",
        "workspaces",
        "packages:",
        "importers:",
        "specifiers:",
        "engines",
        "node",
        "yarn",
        "packageManager",
        "scripts",
        "start",
        "build",
        "npm run start",
        "web:",
        "root:",
        "__metadata:",
        "lockfileVersion",
        "dependencies",
        "vite",
        "next",
        "output",
        "outDir",
        "yarnPath:",
        "[tools]",
        "$PORT",
        "&&",
        "file:",
    ]);
    prop_oneof![8 => known.prop_map(|text| text.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 0..8)]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

/// A manifest that is well-formed, with keys that are looked for and values of any kind.
fn manifest() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        prop::sample::select(vec![
            "^1",
            "1.x",
            "pnpm@9",
            "yarn@1.2.3+sha",
            "npm run start",
            "vite",
            "file:../x",
            "apps/*",
            "./",
            "-",
            "",
            "é*"
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    let leaf =
        prop_oneof![text.prop_map(serde_json::Value::from), any::<i64>().prop_map(serde_json::Value::from), Just(serde_json::Value::Null),];
    let key = prop::sample::select(vec![
        "scripts",
        "start",
        "build",
        "engines",
        "devEngines",
        "runtime",
        "packageManager",
        "node",
        "npm",
        "yarn",
        "pnpm",
        "bun",
        "iojs",
        "volta",
        "workspaces",
        "packages",
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "main",
        "name",
        "version",
        "koa",
        "next",
        "vite",
        "@sveltejs/kit",
        "expo",
        "postinstall",
        "heroku-prebuild",
        "resolutions",
    ]);
    let value = leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    });
    value.prop_map(|value| value.to_string().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_content_of_any_file_makes_it_panic(
        manifest in prop_oneof![4 => manifest(), 1 => bytes()],
        others in prop::collection::vec((0..READ.len(), bytes()), 0..6),
    ) {
        let app = App::new(&[("apps/web/a.js", "")]);
        std::fs::write(app.path().join("package.json"), manifest).unwrap();
        for (file, content) in others {
            std::fs::write(app.path().join(READ[file]), content).unwrap();
        }
        let source = Source::open(app.path(), ".").unwrap();
        let context = Context::default();
        match Node.detect(&source, &context) {
            Detected::Yes(detection) => {
                let (once, again) = (Node.plan(&source, &context, &detection), Node.plan(&source, &context, &detection));
                prop_assert_eq!(&once, &again, "the same tree gives the same plan");
                if let Err(refusal) = once {
                    prop_assert!(!refusal.message.is_empty() && !refusal.fix.is_empty());
                }
            }
            Detected::Refused(refusal) => prop_assert!(!refusal.message.is_empty() && !refusal.fix.is_empty()),
            Detected::No(reasons) => prop_assert!(!reasons.is_empty()),
        }
    }
}
