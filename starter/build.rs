//! Embeds the sources of the crates that every plugin is written against, which are on no registry.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Name of the constant, and directory from this crate.
const CRATES: [(&str, &str); 2] = [("PLUGIN_SDK", "../plugins/sdk"), ("PLUGIN_ABI", "../plugins/abi")];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut code = String::new();
    for (name, directory) in CRATES {
        let top = here.join(directory).canonicalize().expect("the crate is in the checkout");
        let mut files = Vec::new();
        for part in ["Cargo.toml", "src", "wit"].map(|part| top.join(part)).into_iter().filter(|part| part.exists()) {
            // Cargo looks at what is below a directory, too.
            println!("cargo:rerun-if-changed={}", part.display());
            if part.is_dir() { collect(&part, &mut files) } else { files.push(part) }
        }
        files.sort();
        code.push_str(&format!("pub static {name}: &[(&str, &str)] = &[\n"));
        for file in files {
            let relative = file.strip_prefix(&top).expect("it lies in the crate");
            code.push_str(&format!("    ({:?}, include_str!({:?})),\n", relative.display().to_string(), file.display().to_string()));
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("embedded.rs"), code).expect("the build's directory can be written to");
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of the checkout") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}
