//! Reads `plugin.toml` and believes nothing in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use slipway_plugin_abi::{MESSAGE_VERSIONS, Manifest, manifest::Kind};

use crate::LoadError;

pub(crate) const FILE_NAME: &str = "plugin.toml";
const LONGEST_ID: usize = 64;
const LONGEST_MANIFEST: u64 = 1024 * 1024;

/// The manifest of the plugin in `directory`, with every field checked that can be checked without another file.
///
/// # Errors
/// See [`LoadError`].
pub fn read(directory: &Path) -> Result<Manifest, LoadError> {
    let path = inside(directory, FILE_NAME)?;
    let unreadable = |cause| LoadError::Unreadable { path: path.clone(), cause };
    if fs::metadata(&path).map_err(unreadable)?.len() > LONGEST_MANIFEST {
        return Err(LoadError::NotAManifest("it is larger than 1 MiB".into()));
    }
    let text = fs::read_to_string(&path).map_err(unreadable)?;
    let manifest: Manifest = toml::from_str(&text).map_err(|error| LoadError::NotAManifest(error.to_string().trim_end().to_owned()))?;
    check(&manifest)?;
    Ok(manifest)
}

fn check(manifest: &Manifest) -> Result<(), LoadError> {
    if !is_id(&manifest.id) {
        return bad("id", format!("{:?} is not a lower-case letter followed by up to 63 letters, digits and hyphens", manifest.id));
    }
    if manifest.name.trim().is_empty() || manifest.name.chars().count() > 100 || manifest.name.chars().any(char::is_control) {
        return bad("name", "use 1 to 100 characters without line breaks");
    }
    if let Err(error) = semver::Version::parse(&manifest.version) {
        return bad("version", format!("{:?} is not a semantic version: {error}", manifest.version));
    }
    let [lowest, highest] = manifest.message_versions;
    if lowest == 0 || lowest > highest {
        return bad("message_versions", format!("[{lowest}, {highest}] is not a lowest and a highest version, counted from 1"));
    }
    if lowest > *MESSAGE_VERSIONS.end() || highest < *MESSAGE_VERSIONS.start() {
        return Err(LoadError::NoCommonMessageVersion(lowest, highest));
    }
    check_file_name("library", &manifest.library)?;
    if let Some(buildpack) = &manifest.buildpack {
        check_file_name("buildpack", buildpack)?;
        if manifest.kind != Kind::Runtime {
            return Err(LoadError::BuildpackOfWrongKind(manifest.kind));
        }
    }
    check_proxy(manifest)
}

/// What an agent would refuse to do.
fn check_proxy(manifest: &Manifest) -> Result<(), LoadError> {
    let Some(proxy) = &manifest.proxy else { return Ok(()) };
    if manifest.kind != Kind::Ingress {
        return bad("proxy", format!("only ingress plugins have one; this one is of kind {}", manifest.kind));
    }
    if !is_id(&proxy.program) {
        return bad("proxy.program", format!("{:?} is not a lower-case letter followed by letters, digits and hyphens", proxy.program));
    }
    let suffix_ok = proxy.route_suffix.len() > 1
        && proxy.route_suffix.starts_with('.')
        && proxy.route_suffix[1..].bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !suffix_ok {
        return bad("proxy.route_suffix", format!("{:?} is not a dot and letters, such as `.conf`", proxy.route_suffix));
    }
    if proxy.comment.is_empty() || proxy.comment.chars().any(char::is_control) {
        return bad("proxy.comment", "what begins a line of comment is one or more characters");
    }
    for name in proxy.files.keys() {
        let is_plain = !name.starts_with('.') && !matches!(name.as_str(), "routes" | "staging");
        if !is_plain {
            return bad("proxy.files", format!("{name:?} is not the name of a file; `routes` and `staging` are folders of the agent's"));
        }
        check_file_name("proxy.files", name)?;
    }
    if !matches!(proxy.reload.as_str(), "HUP" | "USR1" | "USR2") {
        return bad("proxy.reload", format!("{:?} is not `HUP`, `USR1` or `USR2`", proxy.reload));
    }
    if proxy.run.is_empty() || proxy.check.is_empty() {
        return bad("proxy", "`run` and `check` are lists of arguments, neither of them empty");
    }
    match &proxy.confirm_path {
        Some(path) if !path.starts_with('/') || path.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            bad("proxy.confirm_path", format!("{path:?} is not a path such as `/.well-known/slipway-route`"))
        }
        _ => Ok(()),
    }
}

fn is_id(text: &str) -> bool {
    text.len() <= LONGEST_ID
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn check_file_name(field: &'static str, name: &str) -> Result<(), LoadError> {
    let is_name = !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c == '/' || c == '\\' || c.is_control());
    if is_name { Ok(()) } else { bad(field, format!("{name:?} is not the name of a file beside the manifest")) }
}

fn bad(field: &'static str, problem: impl Into<String>) -> Result<(), LoadError> {
    Err(LoadError::BadField { field, problem: problem.into() })
}

/// The real path of a file in `directory`. A link may give it another name, but not lead out.
pub(crate) fn inside(directory: &Path, name: &str) -> Result<PathBuf, LoadError> {
    let real = |path: PathBuf| path.canonicalize().map_err(|cause| LoadError::Unreadable { path, cause });
    let directory = real(directory.to_owned())?;
    let file = real(directory.join(name))?;
    if file.starts_with(&directory) && file.is_file() { Ok(file) } else { Err(LoadError::LeadsOutside { file: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        id = "runtime-node"
        name = "Node.js"
        version = "0.1.0"
        kind = "runtime"
        message_versions = [1, 1]
        library = "libnode.so"
    "#;

    fn read_text(text: &str) -> Result<Manifest, LoadError> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE_NAME), text).unwrap();
        read(directory.path())
    }

    fn refused_with(find: &str, replace: &str) -> String {
        assert!(GOOD.contains(find));
        read_text(&GOOD.replace(find, replace)).unwrap_err().to_string()
    }

    #[test]
    fn a_manifest_is_read() {
        assert_eq!(read_text(GOOD).unwrap().id, "runtime-node");
    }

    #[test]
    fn an_id_is_a_name_and_not_a_path() {
        let long = format!("a{}", "b".repeat(64));
        for id in ["", "Node", "-node", "1node", "../node", "a/b", "no_de", "no de", "näde", &long] {
            assert!(refused_with("runtime-node", id).contains("id:"), "{id}");
        }
    }

    #[test]
    fn a_version_is_semantic() {
        for version in ["", "1", "1.0", "one", "01.0.0"] {
            assert!(refused_with("0.1.0", version).contains("version:"), "{version}");
        }
    }

    #[test]
    fn a_library_is_a_file_beside_the_manifest() {
        for library in ["", ".", "..", "../libnode.so", "/lib/libnode.so", "a/b.so", "a\\\\b.so", "a\\u0000b"] {
            assert!(refused_with("libnode.so", library).contains("library:"), "{library}");
        }
    }

    #[test]
    fn message_versions_are_a_range_that_this_host_meets() {
        assert!(refused_with("[1, 1]", "[0, 1]").contains("message_versions:"));
        assert!(refused_with("[1, 1]", "[2, 1]").contains("message_versions:"));
        assert!(refused_with("[1, 1]", "[3, 9]").contains("speaks message versions 3 to 9"));
    }

    #[test]
    fn an_unknown_field_is_refused_rather_than_ignored() {
        assert!(refused_with("id =", "colour = \"green\"\nid =").contains("colour"));
        assert!(refused_with("\"runtime\"", "\"storage\"").contains("storage"));
    }

    #[test]
    fn only_a_runtime_brings_a_buildpack() {
        assert!(refused_with("kind = \"runtime\"", "buildpack = \"a.wasm\"\nkind = \"billing\"").contains("only runtime plugins"));
        assert!(refused_with("kind", "buildpack = \"../a.wasm\"\nkind").contains("buildpack:"));
    }

    #[test]
    fn a_proxy_is_one_that_an_agent_can_run() {
        const PROXY: &str = "[proxy]\nprogram = \"nginx\"\nroute_suffix = \".conf\"\nrun = [\"-c\"]\ncheck = [\"-t\"]\nreload = \"HUP\"\n\
                             [proxy.files]\n\"nginx.conf\" = \"\"\n";
        let good = format!("{}\n{PROXY}", GOOD.replace("\"runtime\"", "\"ingress\""));
        assert_eq!(read_text(&good).unwrap().proxy.unwrap().comment, "#");
        assert!(read_text(&format!("{GOOD}\n{PROXY}")).unwrap_err().to_string().contains("only ingress plugins"));
        for (find, replace) in [
            ("\"nginx\"", "\"/usr/sbin/nginx\""),
            ("\".conf\"", "\"/conf\""),
            ("\"HUP\"", "\"KILL\""),
            ("[\"-t\"]", "[]"),
            ("\"nginx.conf\"", "\"../nginx.conf\""),
            ("\"nginx.conf\"", "\"routes\""),
            ("reload", "confirm_path = \"x\"\nreload"),
        ] {
            assert!(good.contains(find));
            assert!(read_text(&good.replace(find, replace)).unwrap_err().to_string().contains("proxy"), "{replace}");
        }
    }

    #[test]
    fn a_link_out_of_the_directory_is_refused() {
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("lib.so")).unwrap();
        assert!(matches!(inside(directory.path(), "lib.so"), Err(LoadError::LeadsOutside { .. })));
        fs::write(directory.path().join("real.so"), "").unwrap();
        std::os::unix::fs::symlink("real.so", directory.path().join("name.so")).unwrap();
        assert!(inside(directory.path(), "name.so").is_ok());
    }
}
