//! What becomes of one file.

use std::{fs, io, os::unix::fs::symlink, path::Path};

/// More than a manifest is read of.
const TOO_MUCH: usize = 3 << 20;
/// Deeper than a parser may recurse.
const TOO_DEEP: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    Missing,
    Empty,
    CutInHalf,
    NotText,
    AnotherType,
    Nested,
    Huge,
    Directory,
    LinkToItself,
}

impl Damage {
    pub const ALL: [Self; 9] = [
        Self::Missing,
        Self::Empty,
        Self::CutInHalf,
        Self::NotText,
        Self::AnotherType,
        Self::Nested,
        Self::Huge,
        Self::Directory,
        Self::LinkToItself,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "a file missing",
            Self::Empty => "an empty file",
            Self::CutInHalf => "a file cut in half",
            Self::NotText => "a file that is not UTF-8",
            Self::AnotherType => "a file of another type",
            Self::Nested => "a file nested very deep",
            Self::Huge => "a huge file",
            Self::Directory => "a directory for a file",
            Self::LinkToItself => "a link to itself",
        }
    }

    pub fn inflict(self, path: &Path) -> io::Result<()> {
        let content = fs::read(path)?;
        fs::remove_file(path)?;
        match self {
            Self::Missing => Ok(()),
            Self::Empty => fs::write(path, ""),
            Self::CutInHalf => fs::write(path, &content[..content.len() / 2]),
            Self::NotText => fs::write(path, b"\xff\xfe\0\xc3\x28 \xed\xa0\x80\n".repeat(20)),
            Self::AnotherType => fs::write(path, "null\n"),
            Self::Nested => fs::write(path, "[".repeat(TOO_DEEP)),
            Self::Huge => fs::write(path, padded(&content)),
            Self::Directory => fs::create_dir(path),
            Self::LinkToItself => symlink(path.file_name().unwrap_or_default(), path),
        }
    }
}

/// What was there, and blanks without end: still sound in most languages.
fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(TOO_MUCH, b'\n');
    padded
}
