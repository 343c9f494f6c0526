//! A buildpack that is loaded from its file when it is called, and not read again while nothing about the file changes.

mod support;

use std::{fs, path::Path, time::Duration};

use slipway_buildpack_host::{
    Host, HostError,
    contract::{Context, Detected},
};
use support::{tree, wasm};

/// The names under which the file's component is kept, beside that by its content.
fn names(cache: &Path) -> usize {
    let entries = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_string_lossy().starts_with("file-")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_file_is_known_again_and_a_changed_one_is_not_taken_for_it() {
    let cache = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.wasm");
    let app = tree(&[("Dockerfile", "FROM scratch\n")]);
    let ask = async || {
        let host = Host::for_few_calls(cache.path()).unwrap();
        host.of_file("some", &file).detect(app.path(), &Context::default()).await.unwrap()
    };

    fs::write(&file, wasm("slipway-buildpack-php")).unwrap();
    assert!(matches!(ask().await, Detected::No(_)));
    assert_eq!(names(cache.path()), 0, "a file written a moment ago may be written again");

    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert!(matches!(ask().await, Detected::No(_)));
    assert_eq!(names(cache.path()), 1);
    assert!(matches!(ask().await, Detected::No(_)));
    assert_eq!(names(cache.path()), 1);

    // With the time that the content had before.
    let about = fs::metadata(&file).unwrap();
    fs::write(&file, wasm("slipway-buildpack-dockerfile")).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(about.modified().unwrap()).unwrap();
    assert!(matches!(ask().await, Detected::Yes(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_component_or_not_there_fails_when_it_is_called() {
    let cache = tempfile::tempdir().unwrap();
    let app = tree(&[("some", "text")]);
    let host = Host::for_few_calls(cache.path()).unwrap();
    for file in ["some", "none"] {
        let buildpack = host.of_file("some", &app.path().join(file));
        let answer = buildpack.detect(app.path(), &Context::default()).await;
        assert!(matches!(answer, Err(HostError::InvalidComponent { .. })), "{answer:?}");
        assert!(matches!(buildpack.imports(), Err(HostError::InvalidComponent { .. })));
    }
}
