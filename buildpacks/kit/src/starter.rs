//! A small project to begin a buildpack with: it compiles, and it passes its own trial.

mod name;

use std::path::Path;

pub use slipway_starter::{Name, StarterError};
use slipway_starter::{filled, plugin_sdk, vendored};

pub use self::name::{BadName, parse};
use crate::embedded;

/// What a buildpack is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Against `slipway-buildpack-sdk`.
    Rust,
    /// Against the WIT package alone, by componentize-py.
    Python,
}

/// Writes the project, whole or not at all.
///
/// The crates that it is written against are on no registry. Their sources lie in this program and go into `vendor/`.
///
/// # Errors
/// See [`StarterError`].
pub fn write(name: &Name, language: Language, directory: &Path) -> Result<(), StarterError> {
    slipway_starter::write(directory, &files(name, language))
}

/// Path within the project, and text.
fn files(name: &Name, language: Language) -> Vec<(String, String)> {
    let template = match language {
        Language::Rust => embedded::RUST_TEMPLATE,
        Language::Python => embedded::PYTHON_TEMPLATE,
    };
    let mut files = filled("", template, name);
    files.extend(filled("plugin/", embedded::PLUGIN_TEMPLATE, name));
    files.extend(plugin_sdk());
    match language {
        Language::Rust => {
            files.extend(vendored("sdk", embedded::BUILDPACK_SDK));
            files.extend(vendored("wit", embedded::BUILDPACK_WIT));
        }
        Language::Python => {
            let wit = embedded::BUILDPACK_WIT.iter().filter_map(|(path, text)| Some((path.strip_prefix("since_v0_1_0/")?, text)));
            files.extend(wit.map(|(path, text)| (format!("wit/{path}"), (*text).to_owned())));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in_and_names_become_what_each_place_needs() {
        let name = parse("my-lang").unwrap();
        for language in [Language::Rust, Language::Python] {
            for (path, text) in files(&name, language).iter().filter(|(path, _)| !path.starts_with("vendor/")) {
                assert!(!path.contains("{{") && !text.contains("{{"), "{path}");
                assert!(!path.ends_with(".in"), "{path}");
            }
        }
        let rust = files(&name, Language::Rust);
        let text = |wanted: &str| rust.iter().find(|(path, _)| path == wanted).map(|(_, text)| text.as_str()).unwrap();
        assert!(text("Cargo.toml").contains("name = \"my-lang-buildpack\""));
        assert!(text("src/lib.rs").contains("struct MyLang") && text("src/lib.rs").contains("\"MY_LANG_MANIFEST_INVALID\""));
        assert!(text("vendor/wit/since_v0_1_0/buildpack.wit").starts_with("package slipway:buildpack@"));
    }

    #[test]
    fn no_crate_inherits_anything_any_more() {
        for tree in [embedded::BUILDPACK_SDK, embedded::BUILDPACK_WIT] {
            let (_, manifest) = tree.iter().find(|(path, _)| *path == "Cargo.toml").unwrap();
            let manifest = slipway_starter::manifests::standalone(manifest);
            assert!(!manifest.contains("workspace ="), "{manifest}");
            assert!(manifest.contains("version = \"") && manifest.contains("edition = \"2024\""), "{manifest}");
        }
    }

    #[test]
    fn the_bindings_are_made_from_the_wit_package_beside_the_sdk() {
        let (_, guest) = embedded::BUILDPACK_SDK.iter().find(|(path, _)| *path == "src/guest.rs").unwrap();
        assert!(guest.contains("path: \"../wit/since_v0_1_0\""), "vendor/sdk and vendor/wit lie as buildpacks/sdk and buildpacks/wit do");
    }
}
