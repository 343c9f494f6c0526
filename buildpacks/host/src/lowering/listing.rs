//! What is in the application's root: read once, so that lowering itself touches no disk.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use super::{ContextEntry, ContextSource};

/// An application that has more files than this is not staged by naming them one by one.
const MAX_FILES: usize = 200_000;
/// Ignore files are small.
const MAX_TEXT_BYTES: u64 = 256 << 10;

/// The files of an application's root, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub root: PathBuf,
    pub files: Vec<SourceFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the root, with `/`.
    pub path: String,
    pub kind: SourceKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    File { executable: bool },
    Link { target: String },
}

impl Listing {
    /// Lists the application at `app_root` of `tree`. Version control's own files, devices, pipes and names that are not
    /// UTF-8 are left out; symbolic links are listed and not followed.
    ///
    /// # Errors
    /// When the tree cannot be read, or holds too many files.
    pub fn read(tree: &Path, app_root: &str) -> io::Result<Self> {
        let root = tree.join(app_root);
        let mut files = Vec::new();
        let walk = WalkDir::new(&root).follow_links(false).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git") {
            let entry = entry.map_err(io::Error::from)?;
            let Some(path) = entry.path().strip_prefix(&root).ok().and_then(Path::to_str).filter(|path| !path.is_empty()) else { continue };
            let kind = if entry.file_type().is_file() {
                SourceKind::File { executable: entry.metadata()?.permissions().mode() & 0o111 != 0 }
            } else if entry.file_type().is_symlink() {
                let Ok(target) = fs::read_link(entry.path())?.into_os_string().into_string() else { continue };
                SourceKind::Link { target }
            } else {
                continue;
            };
            files.push(SourceFile { path: path.to_owned(), kind });
            if files.len() > MAX_FILES {
                return Err(io::Error::other(format!("the source holds more than {MAX_FILES} files")));
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root, files })
    }

    /// The files below `dir` (`.`: all) that match one of `include` (none: all) and none of `exclude`, with their paths
    /// relative to it. A pattern that names a directory stands for what is in it.
    pub(super) fn select<'a>(&'a self, dir: &str, include: &[String], exclude: &[String]) -> Vec<(&'a SourceFile, &'a str)> {
        let dir = dir.trim_start_matches("./").trim_end_matches('/');
        let (include, exclude) = (globs(include), globs(exclude));
        self.files
            .iter()
            .filter_map(|file| {
                let path = if matches!(dir, "." | "") { &file.path } else { file.path.strip_prefix(dir)?.strip_prefix('/')? };
                let wanted = include.as_ref().is_none_or(|globs| matches(globs, path))
                    && !exclude.as_ref().is_some_and(|globs| matches(globs, path));
                wanted.then_some((file, path))
            })
            .collect()
    }

    pub(super) fn entry(&self, file: &SourceFile, to: String) -> ContextEntry {
        match &file.kind {
            SourceKind::File { executable } => {
                ContextEntry { from: ContextSource::File(self.root.join(&file.path)), to, executable: *executable }
            }
            SourceKind::Link { target } => ContextEntry { from: ContextSource::Link(target.clone()), to, executable: false },
        }
    }

    /// The text of a small regular file.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.files.iter().find(|file| file.path == path && matches!(file.kind, SourceKind::File { .. }))?;
        let path = self.root.join(path);
        if fs::metadata(&path).ok()?.len() > MAX_TEXT_BYTES {
            return None;
        }
        fs::read_to_string(path).ok()
    }
}

/// `None` for no patterns. Patterns were checked with the plan; one that is not a glob matches nothing.
fn globs(patterns: &[String]) -> Option<GlobSet> {
    if patterns.is_empty() {
        return None;
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        if let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() {
            set.add(glob);
        }
    }
    set.build().ok()
}

/// Whether a pattern matches the path or a directory that it is in.
pub(super) fn matches(globs: &GlobSet, path: &str) -> bool {
    globs.is_match(path) || path.match_indices('/').any(|(end, _)| globs.is_match(&path[..end]))
}
