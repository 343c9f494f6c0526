//! The build context as a tar stream that is made while it is sent: a large source is never in memory.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write},
    os::unix::fs::MetadataExt,
};

use bytes::{Bytes, BytesMut};
use rustix::fs::{Mode, OFlags};
use slipway_buildpack_host::lowering::{ContextEntry, ContextSource};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;

const CHUNK_BYTES: usize = 128 * 1024;
/// Chunks that may wait to be sent.
const CHUNKS_AHEAD: usize = 4;

/// Begins to write the context. Ends early when the receiver is dropped; what cannot be read is an error in the stream.
pub fn stream(dockerfile_path: String, dockerfile: String, entries: Vec<ContextEntry>) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut sink = Sink { sender, buffer: BytesMut::with_capacity(CHUNK_BYTES) };
        if let Err(error) = write(&mut sink, &dockerfile_path, &dockerfile, &entries).and_then(|()| sink.flush()) {
            // Fails where the receiver is gone, which is then the reason of the error itself.
            let _ = sink.sender.blocking_send(Err(error));
        }
    });
    receiver
}

fn write(sink: &mut Sink, dockerfile_path: &str, dockerfile: &str, entries: &[ContextEntry]) -> io::Result<()> {
    let mut tar = Builder::new(sink);
    let mut directories = BTreeSet::new();
    for entry in entries {
        for (end, _) in entry.to.match_indices('/') {
            let directory = &entry.to[..=end];
            // Without an entry of its own, a directory would have the time at which the engine unpacks it.
            if directories.insert(directory) {
                tar.append_data(&mut header(EntryType::Directory, true, 0, 0), directory, io::empty())?;
            }
        }
        match &entry.from {
            ContextSource::File(path) => {
                // Lists were made without following links, and this does not follow one either.
                let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
                let file = File::from(file);
                let data = file.metadata()?;
                if !data.is_file() {
                    return Err(io::Error::other(format!("{} is no longer a file", entry.to)));
                }
                // The time of the file and not a fixed one: web servers make their ETags of it, and BuildKit's cache does not look at it.
                let mut header = header(EntryType::Regular, entry.executable, data.len(), data.mtime());
                tar.append_data(&mut header, &entry.to, io::Read::take(file, data.len()))?;
            }
            ContextSource::Bytes(bytes) => {
                let mut header = header(EntryType::Regular, entry.executable, bytes.len() as u64, 0);
                tar.append_data(&mut header, &entry.to, bytes.as_slice())?;
            }
            ContextSource::Link(target) => tar.append_link(&mut header(EntryType::Symlink, true, 0, 0), &entry.to, target)?,
        }
    }
    tar.append_data(&mut header(EntryType::Regular, false, dockerfile.len() as u64, 0), dockerfile_path, dockerfile.as_bytes())?;
    tar.finish()
}

fn header(kind: EntryType, executable: bool, size: u64, modified: i64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_mtime(u64::try_from(modified).unwrap_or(0));
    header.set_size(size);
    header
}

/// Sends what is written in chunks, and waits where the receiver is slower.
struct Sink {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(CHUNK_BYTES)).freeze();
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    async fn collect(entries: Vec<ContextEntry>) -> io::Result<Vec<u8>> {
        let mut chunks = stream("Dockerfile".into(), "FROM scratch\n".into(), entries);
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
    }

    fn entry(from: ContextSource, to: &str) -> ContextEntry {
        ContextEntry { from, to: to.into(), executable: false }
    }

    #[tokio::test]
    async fn the_context_holds_every_file_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        std::fs::write(&path, vec![7; 3 * CHUNK_BYTES + 1]).unwrap();
        let long = format!("{}/file", "d".repeat(200));
        let bytes = collect(vec![
            entry(ContextSource::File(path), &long),
            entry(ContextSource::Link("../x".into()), "link"),
            entry(ContextSource::Bytes(b"hello".to_vec()), "hello"),
        ]);
        let bytes = bytes.await.unwrap();
        let (mut directories, mut seen) = (0, Vec::new());
        for file in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut file = file.unwrap();
            if file.header().entry_type().is_dir() {
                assert!(seen.is_empty() && file.header().mtime().unwrap() == 0, "before what is in it, and of no time");
                directories += 1;
                continue;
            }
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            seen.push((file.path().unwrap().to_string_lossy().into_owned(), content.len()));
        }
        assert_eq!(directories, 1);
        assert_eq!(seen, [(long, 3 * CHUNK_BYTES + 1), ("link".into(), 0), ("hello".into(), 5), ("Dockerfile".into(), 13)]);
    }

    #[tokio::test]
    async fn a_link_that_took_a_files_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("a")).unwrap();
        collect(vec![entry(ContextSource::File(dir.path().join("a")), "a")]).await.unwrap_err();
    }
}
