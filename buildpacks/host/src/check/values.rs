//! What a value in a plan may look like. Narrow on purpose: these values become lines of a Dockerfile, where a line end, a
//! `$` or a glob would mean something of its own.

/// `[a-z][a-z0-9-]*`, at most 40 characters.
pub fn is_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub fn is_env_name(text: &str) -> bool {
    text.len() <= 200
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub fn is_single_line(text: &str, most: usize) -> bool {
    text.len() <= most && !text.contains(char::is_control)
}

fn is_literal_path(text: &str) -> bool {
    is_single_line(text, 1000) && !text.contains(['$', '"', '\\', '*', '?', '[', ']', '{', '}'])
}

fn stays_inside(text: &str) -> bool {
    text.split('/').all(|part| part != "..")
}

pub fn is_absolute(text: &str) -> bool {
    text.starts_with('/') && is_literal_path(text) && stays_inside(text)
}

/// `.` or a relative path that does not lead out.
pub fn is_below(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('/') && is_literal_path(text) && stays_inside(text)
}

/// A relative path or glob that does not lead out.
pub fn is_glob_below(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('/') && is_single_line(text, 1000) && stays_inside(text) && globset::Glob::new(text).is_ok()
}

/// By Debian's policy: at least two of `[a-z0-9+.-]`, the first a letter or digit.
pub fn is_debian_package(text: &str) -> bool {
    (2..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'.' | b'-'))
}

/// With a digest, or with a tag other than `latest`.
pub fn is_image_reference(text: &str) -> bool {
    let plain = (1..=300).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b));
    let tag = text.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    plain
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && (text.contains("@sha256:") || tag.is_some_and(|tag| !tag.is_empty() && tag != "latest"))
}

/// `uid:gid`, both numbers, neither 0.
pub fn is_numeric_user(text: &str) -> bool {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u32>().is_ok_and(|id| id != 0);
    text.split_once(':').is_some_and(|(user, group)| number(user) && number(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_needed_and_must_not_float() {
        for good in ["node:22-slim", "host.example:5000/team/app:1.2", "app@sha256:00"] {
            assert!(is_image_reference(good), "{good}");
        }
        for bad in ["node", "node:latest", "host.example:5000/app", "node:", "$X:1", "a b:1", "--platform=x:1"] {
            assert!(!is_image_reference(bad), "{bad}");
        }
    }

    #[test]
    fn root_is_no_user_and_neither_is_a_name() {
        assert!(is_numeric_user("1000:1000"));
        for bad in ["0:0", "1000:0", "0:1000", "000:1", "node", "1000", "1000:", "+1:1"] {
            assert!(!is_numeric_user(bad), "{bad}");
        }
    }

    #[test]
    fn paths_neither_lead_out_nor_mean_anything_to_a_dockerfile() {
        assert!(is_absolute("/app/dist") && is_below("apps/web") && is_below(".") && is_glob_below("packages/*/package.json"));
        for bad in ["/app/../etc", "/app/$HOME", "/a\nUSER 0", "app", "/a*", "/a\"b"] {
            assert!(!is_absolute(bad), "{bad}");
        }
        for bad in ["../x", "/x", "", "a/../../x", "a\nb"] {
            assert!(!is_glob_below(bad), "{bad}");
            assert!(!is_below(bad), "{bad}");
        }
    }
}
