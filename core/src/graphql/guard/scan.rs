//! Counts what a document is made of, byte by byte, without recursion and without allocating.
//!
//! It agrees with the parser about where strings and comments end; whatever the two could see differently is refused.

use super::{MAX_BYTES, MAX_NESTING, MAX_TOKENS, Refusal};

pub(super) fn check(text: &[u8]) -> Result<(), Refusal> {
    if text.len() > MAX_BYTES {
        return Err(Refusal::over("bytes", MAX_BYTES));
    }
    let (mut at, mut tokens, mut open) = (0, 0_usize, 0_usize);
    while let Some(&byte) = text.get(at) {
        at = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at = text[at..].iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(text.len(), |length| at + length);
                continue;
            }
            b'"' => end_of_string(text, at).ok_or_else(|| Refusal::new("A string is not closed."))?,
            b'{' | b'[' | b'(' => {
                open += 1;
                if open > MAX_NESTING {
                    return Err(Refusal::over("brackets nested", MAX_NESTING));
                }
                at + 1
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                at + 1
            }
            _ if is_word(byte) => at + text[at..].iter().take_while(|b| is_word(**b)).count(),
            b'.' if text[at..].starts_with(b"...") => at + 3,
            _ => at + 1,
        };
        tokens += 1;
        if tokens > MAX_TOKENS {
            return Err(Refusal::over("tokens", MAX_TOKENS));
        }
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the string that begins at `start` ends, or `None` if it does not.
fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    if text[start..].starts_with(b"\"\"\"") {
        let mut at = start + 3;
        while at < text.len() {
            if text[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if text[at..].starts_with(b"\"\"\"") {
                return Some(at + 3);
            } else {
                at += 1;
            }
        }
        return None;
    }
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'\n' | b'\r' => return None,
            _ => at += 1,
        }
    }
    None
}
