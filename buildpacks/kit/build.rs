//! Embeds what a new project is made of: the templates, and the sources of the crates that are not on a registry.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Name of the constant, directory from this crate, and which parts of it.
const TREES: [(&str, &str, &[&str]); 5] = [
    ("RUST_TEMPLATE", "templates/rust", &["."]),
    ("PYTHON_TEMPLATE", "templates/python", &["."]),
    ("PLUGIN_TEMPLATE", "templates/plugin", &["."]),
    ("BUILDPACK_SDK", "../sdk", &["Cargo.toml", "src"]),
    ("BUILDPACK_WIT", "../wit", &["Cargo.toml", "src", "since_v0_1_0"]),
];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut code = String::new();
    for (name, directory, parts) in TREES {
        let top = here.join(directory).canonicalize().expect("the tree is in the checkout");
        let mut files = Vec::new();
        for part in parts {
            // Cargo looks at what is below a directory, too.
            println!("cargo:rerun-if-changed={}", top.join(part).display());
            collect(&top.join(part), &mut files);
        }
        files.sort();
        code.push_str(&format!("pub static {name}: &[(&str, &str)] = &[\n"));
        for file in files {
            let relative = file.strip_prefix(&top).expect("it lies in the tree");
            code.push_str(&format!("    ({:?}, include_str!({:?})),\n", relative.display().to_string(), file.display().to_string()));
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("embedded.rs"), code).expect("the build's directory can be written to");
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let path = path.components().collect::<PathBuf>();
    if !path.is_dir() {
        files.push(path);
        return;
    }
    for entry in fs::read_dir(&path).expect("a directory of the checkout") {
        collect(&entry.expect("an entry of it").path(), files);
    }
}
