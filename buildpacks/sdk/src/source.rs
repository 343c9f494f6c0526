//! A read-only view of the application's root. Every read is bounded, so that no tree, however odd, makes a buildpack slow.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    rc::Rc,
};

use crate::{Refusal, refuse};

/// Files larger than this are not read as text. Manifests are small; lockfiles are only looked for.
const MAX_FILE_BYTES: u64 = 2 << 20;
/// Entries that [`Source::find`] looks at before it stops.
const MAX_WALK_ENTRIES: usize = 20_000;
/// Directories of one place that [`Source::directories`] names.
const MOST_DIRECTORIES: usize = 200;
/// Roots with more names are asked name by name.
const MAX_NAMES: usize = 2_000;
/// Directories that hold what others wrote or what a build makes: never searched.
const NOT_SEARCHED: [&str; 12] =
    [".git", "node_modules", "vendor", ".venv", "venv", "__pycache__", ".next", ".nuxt", "dist", "build", "target", ".tox"];

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Without its directory. Names that are not UTF-8 are left out.
    pub name: String,
    /// Links are none, wherever they lead.
    pub is_dir: bool,
}

/// What a name in the root is. A link is what it leads to, which only the file system knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Dir,
    Link,
}

/// The files of an application. Paths are relative to its root, with `/`; one that is absolute or leads out of the root is the path
/// of nothing.
///
/// ```
/// use slipway_buildpack_sdk::Source;
///
/// let tree = tempfile::tempdir().unwrap();
/// std::fs::create_dir_all(tree.path().join("apps/web/src")).unwrap();
/// std::fs::write(tree.path().join("apps/web/src/main.rb"), "puts 1").unwrap();
///
/// let source = Source::open(tree.path(), "apps/web").unwrap();
/// assert!(source.is_dir("src") && !source.is_file("../web/src/main.rb"));
/// assert_eq!(source.find(2, |path| path.ends_with(".rb")), ["src/main.rb"]);
/// assert_eq!(source.read("Gemfile").unwrap(), None);
/// ```
#[derive(Debug, Clone)]
pub struct Source {
    root: PathBuf,
    /// What lies in the root, listed when it is first needed: most questions are about names that are not there, and a
    /// question to the file system leaves the sandbox. `None` where there is too much to list.
    names: Rc<OnceCell<Option<BTreeMap<String, Kind>>>>,
}

impl Source {
    /// The application at `app_root` (`.` or a relative path) within `tree`.
    ///
    /// # Errors
    /// `ROOT_NOT_FOUND` when there is no such directory.
    pub fn open(tree: impl AsRef<Path>, app_root: &str) -> Result<Self, Refusal> {
        let missing = || {
            refuse("ROOT_NOT_FOUND", format!("There is no directory `{app_root}` in the source."))
                .fix("Correct the application's root directory.")
        };
        let root = tree.as_ref().join(confined(app_root).ok_or_else(missing)?);
        if root.is_dir() { Ok(Self::at(root)) } else { Err(missing()) }
    }

    fn at(root: PathBuf) -> Self {
        Self { root, names: Rc::default() }
    }

    /// The same for a directory within, such as a package of a workspace; `None` when it is not one.
    #[must_use]
    pub fn below(&self, path: &str) -> Option<Self> {
        self.dir(path).map(Self::at)
    }

    /// Whether there is such a file. A link to one within the tree counts.
    #[must_use]
    pub fn is_file(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    /// Whether there is such a directory. A link to one within the tree counts.
    #[must_use]
    pub fn is_dir(&self, path: &str) -> bool {
        self.dir(path).is_some()
    }

    /// The first of the paths that is a file.
    #[must_use]
    pub fn first_file<'a>(&self, paths: &[&'a str]) -> Option<&'a str> {
        paths.iter().copied().find(|path| self.is_file(path))
    }

    /// A text file, without a byte-order mark; bytes that are not UTF-8 become replacement characters. `None`: no such file.
    ///
    /// # Errors
    /// `FILE_TOO_LARGE` above 2 MiB, `FILE_UNREADABLE` where the file system says no.
    pub fn read(&self, path: &str) -> Result<Option<String>, Refusal> {
        let Some(file) = self.file(path) else { return Ok(None) };
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
        let file = self.file(path)?;
        let mut start = Vec::new();
        fs::File::open(file).ok()?.take(bytes.min(MAX_FILE_BYTES)).read_to_end(&mut start).ok()?;
        Some(String::from_utf8_lossy(&start).into_owned())
    }

    /// The names in a directory, sorted; empty when it is not one. At most 20 000.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<Entry> {
        let Some(entries) = self.dir(path).and_then(|dir| fs::read_dir(dir).ok()) else { return Vec::new() };
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

    /// The directories of the root and of its `groups`, such as `apps`, in which repositories keep several packages: paths from
    /// the root, of each place at most 200, without hidden ones and `node_modules`.
    #[must_use]
    pub fn directories(&self, groups: &[&str]) -> Vec<String> {
        let below = |dir: &str| {
            let entries =
                self.list(dir).into_iter().filter(|entry| entry.is_dir && !entry.name.starts_with('.') && entry.name != "node_modules");
            entries.map(|entry| entry.name).take(MOST_DIRECTORIES).collect::<Vec<_>>()
        };
        let mut dirs = below(".");
        for group in groups {
            dirs.extend(below(group).into_iter().map(|name| format!("{group}/{name}")));
        }
        dirs
    }

    /// Files at most `depth` directories down that are wanted, by path, sorted. Installed dependencies and build output are
    /// not searched, and links are not followed. Looks at 20 000 entries at most.
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

    fn file(&self, path: &str) -> Option<PathBuf> {
        let path = confined(path)?;
        let full = self.root.join(&path);
        match self.kind(&path)? {
            Kind::File => Some(full),
            Kind::Dir => None,
            Kind::Link => full.is_file().then_some(full),
        }
    }

    fn dir(&self, path: &str) -> Option<PathBuf> {
        let path = confined(path)?;
        let full = self.root.join(&path);
        match self.kind(&path)? {
            Kind::File => None,
            Kind::Dir => Some(full),
            Kind::Link => full.is_dir().then_some(full),
        }
    }

    /// What the names of the root tell about a path; `Link` where they do not tell enough.
    fn kind(&self, path: &Path) -> Option<Kind> {
        let mut parts = path.iter();
        let Some(first) = parts.next() else { return Some(Kind::Dir) };
        let is_deeper = parts.next().is_some();
        let Some(names) = self.names.get_or_init(|| names(&self.root)) else { return Some(Kind::Link) };
        match names.get(first.to_str()?)? {
            Kind::File if is_deeper => None,
            _ if is_deeper => Some(Kind::Link),
            kind => Some(*kind),
        }
    }
}

fn names(dir: &Path) -> Option<BTreeMap<String, Kind>> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(dir).ok()? {
        let entry = entry.ok()?;
        if names.len() == MAX_NAMES {
            return None;
        }
        let kind = match entry.file_type().ok()? {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Dir,
            _ => Kind::Link,
        };
        // A path is text, so it never leads to another name.
        if let Ok(name) = entry.file_name().into_string() {
            names.insert(name, kind);
        }
    }
    Some(names)
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
    fn a_link_is_what_it_leads_to() {
        let dir = tree();
        std::os::unix::fs::symlink("src/deep", dir.path().join("short")).unwrap();
        std::os::unix::fs::symlink("package.json", dir.path().join("other.json")).unwrap();
        std::os::unix::fs::symlink("gone", dir.path().join("broken")).unwrap();
        let source = Source::open(dir.path(), ".").unwrap();
        assert!(source.is_dir("short") && source.is_file("short/app.py") && !source.is_file("short"));
        assert!(source.is_file("other.json") && !source.is_dir("other.json") && !source.is_file("other.json/x"));
        assert!(!source.is_file("broken") && !source.is_dir("broken") && source.is_dir("."));
    }

    #[test]
    fn a_root_of_very_many_names_is_asked_name_by_name() {
        let dir = tree();
        for number in 0..=MAX_NAMES {
            fs::write(dir.path().join(number.to_string()), "").unwrap();
        }
        let source = Source::open(dir.path(), ".").unwrap();
        assert!(source.is_file("package.json") && source.is_file("7") && source.is_dir("src") && !source.is_file("none"));
    }

    #[test]
    fn directories_are_those_of_the_root_and_of_its_groups() {
        let dir = tree();
        for path in ["apps/web", "apps/.cache", "libs/ui"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        assert_eq!(Source::open(dir.path(), ".").unwrap().directories(&["apps", "none"]), ["apps", "libs", "src", "apps/web"]);
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
