//! How much an archive may unpack to, watched as it is read.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
    rc::Rc,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Bytes of the uncompressed tar stream: contents, headers and padding.
    pub total_bytes: u64,
    /// Uncompressed bytes per compressed byte.
    pub ratio: u64,
    /// The ratio counts only beyond this many uncompressed bytes: small archives of small files are mostly padding.
    pub ratio_floor_bytes: u64,
    /// Entries, with the directories that they imply.
    pub entries: u64,
    pub path_bytes: usize,
    pub depth: usize,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { total_bytes: 1 << 30, ratio: 100, ratio_floor_bytes: 16 << 20, entries: 100_000, path_bytes: 1024, depth: 64 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Total(u64),
    Ratio(u64),
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total(bytes) => write!(f, "the archive unpacks to more than {} MiB", bytes >> 20),
            Self::Ratio(ratio) => write!(f, "the archive unpacks to more than {ratio} times its size"),
        }
    }
}

impl std::error::Error for Reached {}

/// The limit that is the cause of `error`, if one is. The tar reader wraps errors, so the whole chain is looked at.
pub fn reached(error: &io::Error) -> Option<Reached> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(inner) = cause {
        if let Some(reached) = inner.downcast_ref::<Reached>() {
            return Some(*reached);
        }
        cause = match inner.downcast_ref::<io::Error>() {
            Some(wrapped) => wrapped.get_ref().map(|inner| inner as _),
            None => inner.source(),
        };
    }
    None
}

/// Counts the compressed bytes that have been taken.
pub struct Compressed<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Compressed<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, count: Rc::default() }
    }

    pub fn count(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.count)
    }
}

impl<R: Read> Read for Compressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

/// Fails as soon as more has come out than may.
pub struct Limited<R> {
    inner: R,
    compressed: Rc<Cell<u64>>,
    limits: UnpackLimits,
    count: u64,
}

impl<R: Read> Limited<R> {
    pub const fn new(inner: R, compressed: Rc<Cell<u64>>, limits: UnpackLimits) -> Self {
        Self { inner, compressed, limits, count: 0 }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        if self.count > self.limits.total_bytes {
            return Err(io::Error::other(Reached::Total(self.limits.total_bytes)));
        }
        if self.count > self.limits.ratio_floor_bytes && self.count / self.limits.ratio > self.compressed.get() {
            return Err(io::Error::other(Reached::Ratio(self.limits.ratio)));
        }
        Ok(count)
    }
}
