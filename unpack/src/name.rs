//! Names in an archive: what they mean, and which are refused.

use super::{UnpackError, UnpackLimits};

/// A name for a message: printable and of bounded length, whatever its bytes are.
pub fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text: String = String::from_utf8_lossy(bytes).escape_debug().take(LONGEST + 1).collect();
    if text.chars().count() > LONGEST { text.chars().take(LONGEST).chain("…".chars()).collect() } else { text }
}

/// The parts of a path below the root, without `.`; empty for the root itself.
pub fn parse(bytes: &[u8], limits: UnpackLimits) -> Result<Vec<String>, UnpackError> {
    let refuse = |reason: &str| Err(UnpackError::rejected(shown(bytes), reason));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refuse("has a name that is not UTF-8");
    };
    if text.is_empty() {
        return refuse("has no name");
    }
    if text.len() > limits.path_bytes {
        return refuse("has a path that is too long");
    }
    if text.chars().any(char::is_control) {
        return refuse("has a control character in its name");
    }
    if text.starts_with('/') {
        return refuse("has an absolute path");
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return refuse("has `..` in its path"),
            part if part.len() > 255 => return refuse("has a name that is too long"),
            part => parts.push(part.to_owned()),
        }
    }
    if parts.len() > limits.depth {
        return refuse("is nested too deeply");
    }
    Ok(parts)
}

/// The target of a symbolic link that stands `depth` real directories below the root.
///
/// It may begin with as many `..` as there are directories to leave, and then only goes down. Since the directories above a link are
/// real ones and every link obeys this, following any chain of them never leaves the root: a `..` after a name could, because that name may
/// be a link itself.
pub fn link_target(bytes: &[u8], depth: usize) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is a link to a name that is not UTF-8")?;
    if text.len() > 1024 {
        return Err("is a link to a path that is too long");
    }
    if text.chars().any(char::is_control) {
        return Err("is a link to a name with a control character");
    }
    if text.starts_with('/') {
        return Err("is a link to an absolute path, which would point outside of the source");
    }
    let mut up = 0;
    let mut down = 0;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if down > 0 => return Err("is a link with `..` in the middle of its path"),
            ".." => up += 1,
            _ => down += 1,
        }
    }
    if up > depth {
        return Err("is a link that points outside of the source");
    }
    Ok(text.to_owned())
}
