//! docs/refusals.md names everything that the shipped buildpacks and this host may say, and nothing else.

use std::{collections::BTreeSet, fs, path::Path};

/// An id begins with the name of who says it.
const SPEAKERS: [&str; 5] = ["NODE_", "PYTHON_", "PHP_", "DOCKERFILE_", "STATIC_BUILD_"];

/// Capital words of the sources that are names of environment variables.
const VARIABLES: [&str; 2] = ["NODE_ENV", "NODE_EXTRA_CA_CERTS"];

/// The ids between two of the mark.
fn ids(text: &str, mark: char) -> BTreeSet<String> {
    let is_id = |word: &&str| {
        let plain = word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        plain && SPEAKERS.iter().any(|speaker| word.starts_with(speaker)) && !VARIABLES.contains(word)
    };
    text.split(mark).filter(is_id).map(str::to_owned).collect()
}

fn of_sources(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            of_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(ids(&fs::read_to_string(path).unwrap(), '"'));
        }
    }
}

#[test]
fn the_page_names_what_buildpacks_say_and_nothing_else() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut said = BTreeSet::new();
    for buildpack in ["node", "python", "php", "dockerfile"] {
        of_sources(&top.join("buildpacks").join(buildpack).join("src"), &mut said);
    }
    assert!(said.len() > 50, "the sources were read: {}", said.len());
    let page = ids(&fs::read_to_string(top.join("docs/refusals.md")).unwrap(), '`');
    assert_eq!(page.difference(&said).collect::<Vec<_>>(), Vec::<&String>::new(), "on the page, and said by nobody");
    assert_eq!(said.difference(&page).collect::<Vec<_>>(), Vec::<&String>::new(), "said, and not on the page");
}
