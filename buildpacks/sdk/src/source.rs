//! A read-only view of the application's root. Every read is bounded, so that no tree, however odd, makes a buildpack slow.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use crate::{Refusal, refuse};

/// Files larger than this are not read as text. Manifests are small; lockfiles are only looked for.
const MAX_FILE_BYTES: u64 = 2 << 20;
/// Entries that [`Source::find`] looks at before it stops.
const MAX_WALK_ENTRIES: usize = 20_000;
/// Directories that hold what others wrote or what a build makes: never searched.
const NOT_SEARCHED: [&str; 12] =
    [".git", "node_modules", "vendor", ".venv", "venv", "__pycache__", ".next", ".nuxt", "dist", "build", "target", ".tox"];

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub name: String,
    pub is_dir: bool,
}

/// The files of an application. Paths are relative to its root, with `/`.
#[derive(Debug, Clone)]
pub struct Source {
    root: PathBuf,
}

impl Source {
    /// The application at `app_root` (`.` or a relative path) within `tree`.
    ///
    /// # Errors
    /// A refusal when there is no such directory.
    pub fn open(tree: impl AsRef<Path>, app_root: &str) -> Result<Self, Refusal> {
        let missing = || {
            refuse("ROOT_NOT_FOUND", format!("There is no directory `{app_root}` in the source."))
                .fix("Correct the application's root directory.")
        };
        let root = tree.as_ref().join(confined(app_root).ok_or_else(missing)?);
        if root.is_dir() { Ok(Self { root }) } else { Err(missing()) }
    }

    /// The same for a directory within, such as a package of a workspace; `None` when it is not one.
    #[must_use]
    pub fn below(&self, path: &str) -> Option<Self> {
        self.resolve(path).filter(|path| path.is_dir()).map(|root| Self { root })
    }

    #[must_use]
    pub fn is_file(&self, path: &str) -> bool {
        self.resolve(path).is_some_and(|path| path.is_file())
    }

    #[must_use]
    pub fn is_dir(&self, path: &str) -> bool {
        self.resolve(path).is_some_and(|path| path.is_dir())
    }

    /// The first of the paths that is a file.
    #[must_use]
    pub fn first_file<'a>(&self, paths: &[&'a str]) -> Option<&'a str> {
        paths.iter().copied().find(|path| self.is_file(path))
    }

    /// A text file, without a byte-order mark; bytes that are not UTF-8 become replacement characters. `None`: no such file.
    ///
    /// # Errors
    /// A refusal when it is too large or cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<String>, Refusal> {
        let Some(file) = self.resolve(path).filter(|path| path.is_file()) else { return Ok(None) };
        let mut bytes = Vec::new();
        fs::File::open(file).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(|error| {
            refuse("FILE_UNREADABLE", format!("`{path}` cannot be read: {error}.")).at(path).fix("Make the file readable.")
        })?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(refuse("FILE_TOO_LARGE", format!("`{path}` is larger than {} MiB.", MAX_FILE_BYTES >> 20))
                .at(path)
                .fix("Make the file smaller; a manifest is a few kilobytes."));
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(Some(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()))
    }

    /// The text of a file that is only a hint: what is missing, unreadable or too large is `None`.
    #[must_use]
    pub fn peek(&self, path: &str) -> Option<String> {
        self.read(path).ok().flatten()
    }

    /// The first `bytes` of a file of any size, as text: enough to tell a lockfile's format.
    #[must_use]
    pub fn peek_start(&self, path: &str, bytes: u64) -> Option<String> {
        let file = self.resolve(path).filter(|path| path.is_file())?;
        let mut start = Vec::new();
        fs::File::open(file).ok()?.take(bytes.min(MAX_FILE_BYTES)).read_to_end(&mut start).ok()?;
        Some(String::from_utf8_lossy(&start).into_owned())
    }

    /// The names in a directory, sorted; empty when it is not one.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<Entry> {
        let Some(entries) = self.resolve(path).and_then(|dir| fs::read_dir(dir).ok()) else { return Vec::new() };
        let mut entries: Vec<_> = entries
            .take(MAX_WALK_ENTRIES)
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some(Entry { name, is_dir: entry.file_type().ok()?.is_dir() })
            })
            .collect();
        entries.sort();
        entries
    }

    /// Files at most `depth` directories down that are wanted, by path, sorted. Installed dependencies and build output are
    /// not searched.
    #[must_use]
    pub fn find(&self, depth: usize, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut seen = 0;
        let mut pending = vec![(String::new(), 0)];
        while let Some((dir, level)) = pending.pop() {
            for entry in self.list(&dir) {
                seen += 1;
                if seen > MAX_WALK_ENTRIES {
                    found.sort();
                    return found;
                }
                let path = if dir.is_empty() { entry.name.clone() } else { format!("{dir}/{}", entry.name) };
                if entry.is_dir {
                    if level < depth && !NOT_SEARCHED.contains(&entry.name.as_str()) {
                        pending.push((path, level + 1));
                    }
                } else if wanted(&path) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    fn resolve(&self, path: &str) -> Option<PathBuf> {
        Some(self.root.join(confined(path)?))
    }
}

/// The path without `.` parts; `None` when it is absolute or leads out.
fn confined(path: &str) -> Option<PathBuf> {
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts = PathBuf::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src/deep")).unwrap();
        fs::create_dir_all(dir.path().join("node_modules/left")).unwrap();
        fs::write(dir.path().join("package.json"), "\u{feff}{}").unwrap();
        fs::write(dir.path().join("src/deep/app.py"), "").unwrap();
        fs::write(dir.path().join("node_modules/left/app.py"), "").unwrap();
        dir
    }

    #[test]
    fn reading_leaves_out_the_byte_order_mark_and_never_leaves_the_root() {
        let dir = tree();
        let source = Source::open(dir.path(), ".").unwrap();
        assert_eq!(source.read("package.json").unwrap().as_deref(), Some("{}"));
        let inner = Source::open(dir.path(), "src").unwrap();
        assert_eq!(inner.read("../package.json").unwrap(), None);
        assert_eq!(inner.read("/etc/hostname").unwrap(), None);
        assert!(inner.is_dir("deep"));
        let deep = source.below("src/deep").unwrap();
        assert!(deep.is_file("app.py") && source.below("..").is_none() && source.below("package.json").is_none());
    }

    #[test]
    fn finding_passes_over_installed_dependencies() {
        let dir = tree();
        assert_eq!(Source::open(dir.path(), ".").unwrap().find(3, |path| path.ends_with("/app.py")), ["src/deep/app.py"]);
    }

    #[test]
    fn a_missing_root_is_refused_and_so_is_a_huge_file() {
        let dir = tree();
        assert_eq!(Source::open(dir.path(), "nowhere").unwrap_err().code, "ROOT_NOT_FOUND");
        assert_eq!(Source::open(dir.path(), "../..").unwrap_err().code, "ROOT_NOT_FOUND");
        fs::File::create(dir.path().join("big.json")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(Source::open(dir.path(), ".").unwrap().read("big.json").unwrap_err().code, "FILE_TOO_LARGE");
    }
}
