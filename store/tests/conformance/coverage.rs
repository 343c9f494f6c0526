//! No function of the store goes untried.

use std::{collections::BTreeSet, fs, path::Path};

fn sources(directory: &str) -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_function_of_the_store_is_tried_here() {
    let tests: String = sources("tests/conformance").into_iter().map(|(_, text)| text).collect();
    let mut seen = 0;
    let mut untried = BTreeSet::new();
    for (noun, text) in sources("src") {
        for function in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = function.split(['(', '<']).next().unwrap();
            seen += 1;
            if !tests.contains(&format!("{noun}::{name}(")) {
                untried.insert(format!("{noun}::{name}"));
            }
        }
    }
    assert!(seen > 100, "the functions are found at all");
    assert!(untried.is_empty(), "add a test on both engines for {untried:?}");
}
