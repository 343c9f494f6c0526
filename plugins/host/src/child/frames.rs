//! What goes between the host and a plugin's process: frames of a length, an id, a code and bytes.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

/// Of a frame without its bytes.
pub(crate) const HEAD: usize = 16;
/// A longer reply ends the process that sends it.
pub(crate) const LONGEST: usize = 16 << 20;

/// The first frame to the process; the library follows it, as bare bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub library_bytes: u64,
    pub manifest_versions: [u32; 2],
    pub limits: super::Limits,
    /// Who it becomes, where it may choose.
    pub user: u32,
}

/// The first frame from the process: the version of the messages, or why it does not work.
pub(crate) type Begun = Result<u32, String>;

/// `code` is the version of the messages on the way in, and the status of the reply on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub id: u64,
    pub code: i32,
    pub length: usize,
}

impl Head {
    pub fn of(bytes: [u8; HEAD]) -> Self {
        let [a, b, c, d, i0, i1, i2, i3, i4, i5, i6, i7, e, f, g, h] = bytes;
        Self {
            length: u32::from_le_bytes([a, b, c, d]) as usize,
            id: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            code: i32::from_le_bytes([e, f, g, h]),
        }
    }
}

/// A whole frame, so that it is written at once. Bytes beyond what a length can say are left out, and miss at the other side.
pub(crate) fn frame(id: u64, code: i32, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEAD + bytes.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&id.to_le_bytes());
    frame.extend_from_slice(&code.to_le_bytes());
    frame.extend_from_slice(bytes);
    frame
}

/// Blocking, for the process. `None` at the end of the channel.
pub(crate) fn read(channel: &mut impl Read) -> io::Result<Option<(Head, Vec<u8>)>> {
    let mut head = [0; HEAD];
    match channel.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let head = Head::of(head);
    let mut bytes = vec![0; head.length];
    channel.read_exact(&mut bytes)?;
    Ok(Some((head, bytes)))
}

/// Blocking, for the process.
pub(crate) fn write(channel: &mut impl Write, id: u64, code: i32, bytes: &[u8]) -> io::Result<()> {
    channel.write_all(&frame(id, code, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let bytes = [frame(7, -3, b"hello"), frame(u64::MAX, 0, b"")].concat();
        let mut channel = &bytes[..];
        let (head, content) = read(&mut channel).unwrap().unwrap();
        assert_eq!((head.id, head.code, &content[..]), (7, -3, &b"hello"[..]));
        assert_eq!(read(&mut channel).unwrap().unwrap().0.id, u64::MAX);
        assert_eq!(read(&mut channel).unwrap(), None);
    }
}
