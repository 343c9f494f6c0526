//! The manifest of a crate of this workspace, made to stand by itself: what it inherits is written out.

use toml::{Table, Value};

const WORKSPACE: &str = include_str!("../../../../Cargo.toml");

/// Directory of each of our crates below `vendor/`.
const OURS: [(&str, &str); 4] = [
    ("slipway-buildpack-sdk", "sdk"),
    ("slipway-buildpack-wit", "wit"),
    ("slipway-plugin-sdk", "plugin-sdk"),
    ("slipway-plugin-abi", "plugin-abi"),
];

/// # Panics
/// When the manifest is none of this workspace's, which the tests see.
pub fn standalone(manifest: &str) -> String {
    let workspace: Table = WORKSPACE.parse().expect("the workspace's manifest");
    let workspace = workspace["workspace"].as_table().expect("a workspace");
    let mut manifest: Table = manifest.parse().expect("a crate's manifest");
    // Its tests stay at home, and its lints are its own affair.
    manifest.remove("dev-dependencies");
    manifest.remove("lints");
    write_out(&mut manifest, "package", &workspace["package"]);
    write_out(&mut manifest, "dependencies", &workspace["dependencies"]);
    for (_, target) in manifest.get_mut("target").and_then(Value::as_table_mut).into_iter().flatten() {
        let target = target.as_table_mut().expect("a target has dependencies");
        write_out(target, "dependencies", &workspace["dependencies"]);
    }
    format!("# Written from the sources of Slipway {}.\n\n{manifest}", env!("CARGO_PKG_VERSION"))
}

/// Gives each entry that says `workspace = true` the workspace's value.
fn write_out(manifest: &mut Table, section: &str, inherited: &Value) {
    let Some(section) = manifest.get_mut(section).and_then(Value::as_table_mut) else { return };
    for (name, value) in section.iter_mut() {
        let is_inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
        if is_inherited {
            *value = inherited[name.as_str()].clone();
        }
        if let Some((_, directory)) = OURS.iter().find(|(ours, _)| ours == name) {
            *value = Value::Table(Table::from_iter([("path".to_owned(), Value::from(format!("../{directory}")))]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;

    #[test]
    fn no_crate_inherits_anything_any_more() {
        for tree in [embedded::BUILDPACK_SDK, embedded::BUILDPACK_WIT, embedded::PLUGIN_SDK, embedded::PLUGIN_ABI] {
            let (_, manifest) = tree.iter().find(|(path, _)| *path == "Cargo.toml").unwrap();
            let manifest = standalone(manifest);
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
