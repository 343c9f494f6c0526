//! The manifest of a crate of this workspace, made to stand by itself: what it inherits is written out.

use toml::{Table, Value};

const WORKSPACE: &str = include_str!("../../Cargo.toml");

/// Directory of each of our crates below `vendor/`.
const OURS: [(&str, &str); 4] = [
    ("slipway-buildpack-sdk", "sdk"),
    ("slipway-buildpack-wit", "wit"),
    ("slipway-plugin-sdk", "plugin-sdk"),
    ("slipway-plugin-abi", "plugin-abi"),
];

/// The manifest, with the crates of ours that it names beside it.
///
/// # Panics
/// When the manifest is none of this workspace's, which the tests see.
#[must_use]
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
