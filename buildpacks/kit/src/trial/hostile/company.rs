//! What an application may find itself beside.

use std::{ffi::OsStr, fs, io, os::unix::ffi::OsStrExt, os::unix::fs::symlink, path::Path};

use crate::trial::tree;

type Join = fn(&Path) -> io::Result<()>;

pub const ALL: [(&str, Join); 4] =
    [("links in circles", circles), ("odd file names", odd_names), ("thousands of files", many), ("very deep directories", deep)];

/// Directories, and files in each.
const MANY: (usize, usize) = (60, 50);
/// Directories within each other.
const DEEP: usize = 150;
/// A file is repeated with its content where that is small.
const MOST_REPEATED: u64 = 4 << 10;

fn circles(tree: &Path) -> io::Result<()> {
    let below = tree.join("circles");
    fs::create_dir_all(&below)?;
    for (link, to) in [("here", "."), ("up", ".."), ("a", "b"), ("b", "a"), ("gone", "nowhere"), ("out", "/etc"), ("top", "../..")] {
        symlink(to, below.join(link))?;
        symlink(to, tree.join(format!("circle-{link}")))?;
    }
    Ok(())
}

fn odd_names(tree: &Path) -> io::Result<()> {
    let below = tree.join("odd names");
    fs::create_dir_all(&below)?;
    let long = "x".repeat(255);
    let names: [&[u8]; 9] =
        [b"line\nend", b"not \xff\xfe UTF-8", b"-rf", b" ", b"a'b\"c", b"$HOME `id`", "\u{202e}gpj".as_bytes(), b"*", long.as_bytes()];
    for name in names {
        for directory in [tree, below.as_path()] {
            fs::write(directory.join(OsStr::from_bytes(name)), "")?;
        }
    }
    Ok(())
}

/// Of the kinds that the application is made of, so that who searches for one finds thousands.
fn many(tree: &Path) -> io::Result<()> {
    let kinds: Vec<_> = tree::files(tree)?
        .into_iter()
        .map(|file| {
            let is_small = tree.join(&file).metadata().is_ok_and(|about| about.len() <= MOST_REPEATED);
            let content = if is_small { fs::read(tree.join(&file)).unwrap_or_default() } else { Vec::new() };
            (file.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_else(|| "txt".into()), content)
        })
        .collect();
    let (directories, files) = MANY;
    for directory in 0..directories {
        let below = tree.join(format!("many-{directory}"));
        fs::create_dir_all(&below)?;
        for file in 0..files {
            let (extension, content) = kinds.get((directory * files + file) % kinds.len().max(1)).cloned().unwrap_or_default();
            fs::write(below.join(format!("file{file}.{extension}")), content)?;
        }
    }
    Ok(())
}

fn deep(tree: &Path) -> io::Result<()> {
    let mut below = tree.to_path_buf();
    for _ in 0..DEEP {
        below.push("deep");
    }
    fs::create_dir_all(&below)?;
    for file in tree::files(tree)?.into_iter().take(8) {
        if let Some(name) = file.file_name() {
            fs::copy(tree.join(&file), below.join(name))?;
        }
    }
    Ok(())
}
