//! Makes files below one directory without ever following a link.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps},
    io::Errno,
};

#[derive(Debug)]
pub enum TreeError {
    /// The archive may not do that.
    Refused(String),
    /// The content could not be read.
    Content(io::Error),
    /// The file system did not do it.
    Io(io::Error),
}

impl From<Errno> for TreeError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// A directory and what is made in it.
pub struct Tree {
    root: OwnedFd,
    /// The directory of the last entry: entries come in order, so that most share it with the one before.
    last: Option<(Vec<String>, OwnedFd)>,
    implied: u64,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Tree {
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = rustix::fs::open(root, DIRECTORY, Mode::empty())?;
        Ok(Self { root, last: None, implied: 0 })
    }

    /// Directories that were made without an entry of their own.
    pub const fn implied(&self) -> u64 {
        self.implied
    }

    pub fn directory(&mut self, parts: &[String]) -> Result<(), TreeError> {
        let (parent, name) = self.parent(parts, true)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => enter(&parent, name).map(drop),
            Err(error) => Err(error.into()),
        }
    }

    /// `modified`, in seconds since 1970; `None`: now.
    pub fn file(&mut self, parts: &[String], executable: bool, modified: Option<i64>, content: &mut dyn Read) -> Result<(), TreeError> {
        let (parent, name) = self.parent(parts, true)?;
        make_room(&parent, name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = if executable { 0o755 } else { 0o644 };
        let file = rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(mode))?;
        // The mode does not depend on the agent's umask: equal archives are equal trees.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        let mut file = File::from(file);
        copy(content, &mut file)?;
        if let Some(seconds) = modified {
            let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
            rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })?;
        }
        Ok(())
    }

    pub fn symlink(&mut self, parts: &[String], target: &str) -> Result<(), TreeError> {
        let (parent, name) = self.parent(parts, true)?;
        make_room(&parent, name)?;
        Ok(rustix::fs::symlinkat(target, &parent, name)?)
    }

    pub fn hard_link(&mut self, parts: &[String], target: &[String]) -> Result<(), TreeError> {
        let missing = || TreeError::Refused("is a hard link to something that is not in the archive before it".into());
        if target.is_empty() {
            return Err(missing());
        }
        if parts == target {
            return Err(TreeError::Refused("is a hard link to itself".into()));
        }
        let (from, from_name) = self.parent(target, false).map_err(|error| match error {
            TreeError::Io(error) if error.kind() == io::ErrorKind::NotFound => missing(),
            other => other,
        })?;
        match rustix::fs::statat(&from, from_name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {}
            Ok(_) => return Err(TreeError::Refused("is a hard link to something that is no file".into())),
            Err(Errno::NOENT) => return Err(missing()),
            Err(error) => return Err(error.into()),
        }
        let (parent, name) = self.parent(parts, true)?;
        make_room(&parent, name)?;
        // Without AT_SYMLINK_FOLLOW: a link that appeared since would itself be linked, not what it points at.
        Ok(rustix::fs::linkat(&from, from_name, &parent, name, AtFlags::empty())?)
    }

    /// The directory that holds the last of `parts`, made where it is missing if `make`.
    fn parent<'a>(&mut self, parts: &'a [String], make: bool) -> Result<(OwnedFd, &'a str), TreeError> {
        let (name, above) = parts.split_last().expect("the caller has checked that there is a name");
        if let Some((path, directory)) = &self.last
            && path == above
        {
            return Ok((duplicate(directory)?, name));
        }
        let mut directory = duplicate(&self.root)?;
        for part in above {
            directory = match enter(&directory, part) {
                Err(TreeError::Io(error)) if make && error.kind() == io::ErrorKind::NotFound => {
                    rustix::fs::mkdirat(&directory, part.as_str(), Mode::from_raw_mode(0o755))?;
                    self.implied += 1;
                    enter(&directory, part)?
                }
                entered => entered?,
            };
        }
        self.last = Some((above.to_vec(), duplicate(&directory)?));
        Ok((directory, name))
    }
}

fn duplicate(directory: &OwnedFd) -> Result<OwnedFd, TreeError> {
    directory.try_clone().map_err(TreeError::Io)
}

/// Opens a directory in a directory. One name only, and no link.
fn enter(directory: impl AsFd, name: &str) -> Result<OwnedFd, TreeError> {
    match rustix::fs::openat(directory, name, DIRECTORY, Mode::empty()) {
        Ok(entered) => Ok(entered),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(TreeError::Refused("goes through a link or a file as if it were a directory".into())),
        Err(error) => Err(error.into()),
    }
}

/// As with tar, the later of two files with one name wins. It never takes the place of a directory.
fn make_room(directory: impl AsFd, name: &str) -> Result<(), TreeError> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => Err(TreeError::Refused("takes the place of a directory".into())),
        Err(error) => Err(error.into()),
    }
}

/// Copies, telling a failure to read from a failure to write.
fn copy(content: &mut dyn Read, file: &mut File) -> Result<(), TreeError> {
    use std::io::Write;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(TreeError::Content(error)),
        };
        file.write_all(&buffer[..count]).map_err(TreeError::Io)?;
    }
}
