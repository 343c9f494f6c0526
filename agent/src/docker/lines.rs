//! From the engine's log frames to lines.

use bollard::container::LogOutput;
use slipway_model::Timestamp;
use slipway_model::state::LogStream;

use crate::engine::EngineLine;

/// Longest line; the engine splits at the same size.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// Puts together what one container printed. The engine gives a frame per line, and a long line in pieces of which only the last
/// ends in a newline: of those the first is kept.
#[derive(Debug, Default)]
pub struct Lines {
    /// Whether the last frame of this stream (stdout, stderr) was an unfinished piece.
    within: [bool; 2],
}

impl Lines {
    pub fn frame(&mut self, frame: LogOutput) -> Option<EngineLine> {
        let (stream, slot, bytes) = match frame {
            LogOutput::StdErr { message } => (LogStream::Stderr, 1, message),
            LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
                (LogStream::Stdout, 0, message)
            }
        };
        let (complete, text) = match bytes.strip_suffix(b"\n") {
            Some(line) => (true, line),
            None => (false, &bytes[..]),
        };
        let continues = std::mem::replace(&mut self.within[slot], !complete);
        if continues {
            return None;
        }
        let space = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        let at = std::str::from_utf8(&text[..space]).ok().and_then(timestamp)?;
        let rest = text.get(space + 1..).unwrap_or_default();
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        let truncated = !complete || rest.len() > MAX_LINE_BYTES;
        let message = String::from_utf8_lossy(&rest[..rest.len().min(MAX_LINE_BYTES)]).into_owned();
        Some(EngineLine { at, stream, message: crate::engine::shorten(message, MAX_LINE_BYTES), truncated })
    }
}

/// The engine's time text; `None` for its "never".
pub fn timestamp(text: &str) -> Option<Timestamp> {
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (at.timestamp() > 0).then_some(at)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn out(text: &str) -> LogOutput {
        LogOutput::StdOut { message: Bytes::from(text.to_owned()) }
    }

    #[test]
    fn a_line_keeps_its_nanoseconds_and_loses_its_end() {
        let line = Lines::default().frame(out("2024-05-06T07:08:09.123456789Z hello world\r\n")).unwrap();
        assert_eq!((line.message.as_str(), line.truncated), ("hello world", false));
        assert_eq!(line.at.timestamp_subsec_nanos(), 123_456_789);
    }

    #[test]
    fn of_a_long_line_the_first_piece_is_kept_and_marked() {
        let mut lines = Lines::default();
        let first = lines.frame(out(&format!("2024-05-06T07:08:09Z {}", "x".repeat(MAX_LINE_BYTES)))).unwrap();
        assert_eq!((first.message.len(), first.truncated), (MAX_LINE_BYTES, true));
        assert_eq!(lines.frame(out("2024-05-06T07:08:09Z more")), None);
        assert_eq!(lines.frame(out("2024-05-06T07:08:09Z end\n")), None);
        assert_eq!(lines.frame(out("2024-05-06T07:08:10Z next\n")).unwrap().message, "next");
    }

    #[test]
    fn what_is_no_text_becomes_a_mark_and_the_cap_holds() {
        let mut bytes = b"2024-05-06T07:08:09Z ".to_vec();
        bytes.extend(std::iter::repeat_n(0xff, MAX_LINE_BYTES));
        bytes.push(b'\n');
        let line = Lines::default().frame(LogOutput::StdErr { message: Bytes::from(bytes) }).unwrap();
        assert!(line.message.len() <= MAX_LINE_BYTES && line.message.starts_with('\u{fffd}'));
        assert_eq!(line.stream, LogStream::Stderr);
    }
}
