//! Whatever the files hold, the answer is a plan or a refusal.

use std::fs;

use proptest::prelude::*;
use slipway_buildpack_dockerfile::Dockerfiles;
use slipway_buildpack_sdk::{Buildpack, Context, Detected, Source};

/// Asks for a plan of a tree with these files.
fn ask(files: &[(&str, &[u8])]) {
    let tree = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(tree.path().join(name), content).unwrap();
    }
    let source = Source::open(tree.path(), ".").unwrap();
    let context = Context::default();
    if let Detected::Yes(detection) = Dockerfiles.detect(&source, &context) {
        let first = Dockerfiles.plan(&source, &context, &detection);
        assert_eq!(first, Dockerfiles.plan(&source, &context, &detection));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bytes_of_any_kind_are_answered(dockerfile: Vec<u8>, procfile: Vec<u8>) {
        ask(&[("Dockerfile", &dockerfile), ("Procfile", &procfile)]);
    }

    #[test]
    fn lines_that_look_like_instructions_are_answered(
        lines in prop::collection::vec(
            "(# syntax=|# escape=`|FROM |ARG |ENV |EXPOSE |COPY |RUN |CMD |HEALTHCHECK |ENTRYPOINT |USER |\\PC{0,6})[-a-zA-Z0-9=:$ {}.<>\\[\\]\",/\\\\`é]{0,24}",
            0..12,
        ),
    ) {
        let text = format!("FROM a AS b\n{}\n", lines.join("\n"));
        ask(&[("Dockerfile", text.as_bytes())]);
    }
}
