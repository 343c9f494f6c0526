//! A small project to begin a plugin with, of each kind: it compiles, and it passes its own trial.

use std::path::Path;

use slipway_plugin_host::Kind;
pub use slipway_starter::StarterError;
use slipway_starter::{Malformed, Name, Tree, filled, plugin_sdk};

/// The plugins that ship with Slipway.
const SHIPPED: [&str; 6] = ["runtime-node", "runtime-python", "runtime-php", "runtime-docker", "billing-hourly", "ingress-traefik"];

const RUNTIME: &Tree = &[
    ("Cargo.toml", include_str!("../templates/runtime/Cargo.toml.in")),
    ("README.md", include_str!("../templates/runtime/README.md")),
    ("plugin.toml", include_str!("../templates/runtime/plugin.toml")),
    ("cases/describe.json", include_str!("../templates/runtime/cases/describe.json")),
    ("cases/a-line.json", include_str!("../templates/runtime/cases/a-line.json")),
    ("cases/no-such-version.json", include_str!("../templates/runtime/cases/no-such-version.json")),
    // The same that comes with a buildpack.
    ("gitignore", include_str!("../../../buildpacks/kit/templates/plugin/gitignore.in")),
    ("versions.json", include_str!("../../../buildpacks/kit/templates/plugin/versions.json")),
    ("src/lib.rs", include_str!("../../../buildpacks/kit/templates/plugin/src/lib.rs")),
];
const BILLING: &Tree = &[
    ("Cargo.toml", include_str!("../templates/billing/Cargo.toml.in")),
    ("README.md", include_str!("../templates/billing/README.md")),
    ("plugin.toml", include_str!("../templates/billing/plugin.toml")),
    ("cases/an-hour.json", include_str!("../templates/billing/cases/an-hour.json")),
    ("cases/half-price.json", include_str!("../templates/billing/cases/half-price.json")),
    ("cases/backwards.json", include_str!("../templates/billing/cases/backwards.json")),
    ("gitignore", include_str!("../../../buildpacks/kit/templates/plugin/gitignore.in")),
    ("src/lib.rs", include_str!("../templates/billing/src/lib.rs")),
];
const INGRESS: &Tree = &[
    ("Cargo.toml", include_str!("../templates/ingress/Cargo.toml.in")),
    ("README.md", include_str!("../templates/ingress/README.md")),
    ("plugin.toml", include_str!("../templates/ingress/plugin.toml")),
    ("cases/one-application.json", include_str!("../templates/ingress/cases/one-application.json")),
    ("cases/a-name-that-would-end-its-rule.json", include_str!("../templates/ingress/cases/a-name-that-would-end-its-rule.json")),
    ("cases/a-wildcard.json", include_str!("../templates/ingress/cases/a-wildcard.json")),
    ("gitignore", include_str!("../../../buildpacks/kit/templates/plugin/gitignore.in")),
    ("src/lib.rs", include_str!("../templates/ingress/src/lib.rs")),
];

/// Why a plugin cannot be called so, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Of characters that it may not have.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Of a plugin that is there already.
    #[error("the plugin `{0}` ships with Slipway")]
    Shipped(String),
}

impl BadName {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self, kind: Kind) -> String {
        match self {
            Self::Malformed(malformed) => format!("slipway plugin new {kind} {}", malformed.instead.as_deref().unwrap_or("mine")),
            Self::Shipped(id) => format!("choose another name, such as `my-{}`", id.trim_start_matches(&format!("{kind}-"))),
        }
    }
}

/// The name of a new plugin, whose id is its kind and its name.
///
/// # Errors
/// See [`BadName`].
pub fn parse(kind: Kind, name: &str) -> Result<Name, BadName> {
    let id = format!("{kind}-{name}");
    if SHIPPED.contains(&id.as_str()) {
        return Err(BadName::Shipped(id));
    }
    Ok(name.parse()?)
}

/// Writes the project, whole or not at all.
///
/// The crates that it is written against are on no registry. Their sources lie in this program and go into `vendor/`.
///
/// # Errors
/// See [`StarterError`].
pub fn write(kind: Kind, name: &Name, directory: &Path) -> Result<(), StarterError> {
    slipway_starter::write(directory, &files(kind, name))
}

fn files(kind: Kind, name: &Name) -> Vec<(String, String)> {
    let template = match kind {
        Kind::Runtime => RUNTIME,
        Kind::Billing => BILLING,
        Kind::Ingress => INGRESS,
    };
    let mut files = filled("", template, name);
    files.extend(plugin_sdk());
    files
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in() {
        for kind in [Kind::Runtime, Kind::Billing, Kind::Ingress] {
            let name = parse(kind, "my-own").unwrap();
            let files = files(kind, &name);
            for (path, text) in files.iter().filter(|(path, _)| !path.starts_with("vendor/")) {
                assert!(!path.contains("{{") && !text.contains("{{"), "{kind}: {path}");
            }
            let manifest = &files.iter().find(|(path, _)| path == "plugin.toml").unwrap().1;
            assert!(manifest.contains(&format!("id = \"{kind}-my-own\"")), "{manifest}");
            assert!(
                files.iter().any(|(path, _)| path == ".gitignore") && files.iter().any(|(path, _)| path == "vendor/plugin-sdk/src/lib.rs")
            );
        }
    }

    /// A file that is in the checkout and not in the list would be missing from new projects.
    #[test]
    fn every_file_of_a_template_is_written() {
        for (directory, tree) in [("runtime", RUNTIME), ("billing", BILLING), ("ingress", INGRESS)] {
            let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(directory);
            let mut folders = vec![top.clone()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                        continue;
                    }
                    let relative = path.strip_prefix(&top).unwrap().to_str().unwrap().trim_end_matches(".in");
                    assert!(tree.iter().any(|(listed, _)| *listed == relative), "{directory}/{relative}");
                }
            }
        }
    }

    #[test]
    fn a_better_name_is_told() {
        assert_eq!(parse(Kind::Billing, "My Tiers").unwrap_err().fix(Kind::Billing), "slipway plugin new billing my-tiers");
        assert_eq!(parse(Kind::Ingress, "traefik").unwrap_err().fix(Kind::Ingress), "choose another name, such as `my-traefik`");
        assert!(parse(Kind::Billing, "traefik").is_ok());
    }
}
