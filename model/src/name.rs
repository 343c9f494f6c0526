//! Names that people type, checked once at the edge. A value of one of these types is valid for as long as it lives.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a name was refused: a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(String);

impl NameError {
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident($check:path);)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(String);

            impl $name {
                #[must_use]
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl FromStr for $name {
                type Err = NameError;

                fn from_str(text: &str) -> Result<Self, NameError> {
                    $check(text)?;
                    Ok(Self(text.to_owned()))
                }
            }

            impl TryFrom<String> for $name {
                type Error = NameError;

                fn try_from(text: String) -> Result<Self, NameError> {
                    $check(&text)?;
                    Ok(Self(text))
                }
            }

            impl From<$name> for String {
                fn from(name: $name) -> Self {
                    name.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl AsRef<str> for $name {
                fn as_ref(&self) -> &str {
                    &self.0
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(&self.0)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
                }
            }
        )*
    };
}

names! {
    /// A DNS label of 1 to 40 characters, `[a-z][a-z0-9-]*[a-z0-9]`: part of a system domain (RFC 1035 §2.3.1).
    Slug(check_slug);
    /// A fully qualified host name in lower case, without a trailing dot (RFC 1123 §2.1).
    Hostname(check_hostname);
    /// The key of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`, at most 255 bytes (POSIX 1-2024 §8.1, both cases).
    EnvKey(check_env_key);
    /// A reference to an image as Docker understands it: `[registry/]path[:tag][@digest]`.
    ImageRef(check_image_ref);
    /// A branch or tag name that git itself would accept (git-check-ref-format), never an option.
    GitRef(check_git_ref);
    /// `https://`, `http://` or `ssh://` (also `user@host:path`), without credentials in it.
    GitUrl(check_git_url);
    /// A name for people: 1 to 100 characters, no control characters, not only spaces.
    DisplayName(check_display_name);
    /// An e-mail address: something@something, at most 254 bytes, no spaces. Whether it is real, only a message can tell.
    Email(check_email);
    /// A path below the source's root: relative, `/`-separated, without `..`, empty parts or control characters; `.` is the root.
    SourcePath(check_source_path);
}

impl Slug {
    /// The nearest slug to a free text (`My Shop!` -> `my-shop`), or `None` when nothing of it can stay.
    #[must_use]
    pub fn nearest(text: &str) -> Option<Self> {
        let mut slug = String::new();
        for character in text.chars().flat_map(char::to_lowercase) {
            if character.is_ascii_alphanumeric() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() == 40 {
                break;
            }
        }
        let slug = slug.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
        slug.parse().ok()
    }
}

fn refuse(reason: impl Into<String>) -> Result<(), NameError> {
    Err(NameError::new(reason))
}

fn check_slug(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 40 {
        return refuse("use 1 to 40 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return refuse("begin with a lower-case letter");
    }
    if text.ends_with('-') {
        return refuse("end with a letter or a digit");
    }
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return refuse("use lower-case letters, digits and hyphens only");
    }
    Ok(())
}

fn check_hostname(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 253 {
        return refuse("a host name has 1 to 253 characters");
    }
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !text.split('.').all(label_ok) {
        return refuse("each part of a host name is 1 to 63 lower-case letters, digits and inner hyphens");
    }
    if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return refuse("a host name does not end in a number; IP addresses are not host names");
    }
    Ok(())
}

fn check_env_key(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 255 {
        return refuse("a key has 1 to 255 characters");
    }
    let first_ok = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !first_ok || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return refuse("a key is letters, digits and underscores, and does not begin with a digit");
    }
    Ok(())
}

fn check_image_ref(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 255 {
        return refuse("an image reference has 1 to 255 characters");
    }
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    if let Some(digest) = digest {
        let hex_ok = digest
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        if !hex_ok {
            return refuse("a digest is `sha256:` and 64 lower-case hexadecimal characters");
        }
    }
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag {
        let tag_ok = !tag.is_empty()
            && tag.len() <= 128
            && !tag.starts_with(['.', '-'])
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !tag_ok {
            return refuse("a tag is up to 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two");
        }
    }
    let mut parts = path.split('/').peekable();
    let first = *parts.peek().unwrap_or(&"");
    let is_registry = path.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    if is_registry {
        parts.next();
        let (host, port) = first.split_once(':').map_or((first, None), |(host, port)| (host, Some(port)));
        let host_ok = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if !host_ok || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return refuse("the registry is a host name and an optional port");
        }
    }
    let part_ok = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-'))
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    if !parts.all(part_ok) {
        return refuse("each part of an image's path is lower-case letters and digits with inner `_`, `.` and `-`");
    }
    Ok(())
}

fn check_git_ref(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 250 {
        return refuse("a branch name has 1 to 250 characters");
    }
    let component_ok = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.to_ascii_lowercase().ends_with(".lock");
    let bad = text.starts_with('-')
        || text == "@"
        || text.ends_with('.')
        || text.contains("..")
        || text.contains("@{")
        || text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
        || !text.split('/').all(component_ok);
    if bad {
        return refuse("not a name that git accepts for a branch (see git-check-ref-format)");
    }
    Ok(())
}

fn check_git_url(text: &str) -> Result<(), NameError> {
    if text.len() > 2000 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("a repository URL has at most 2000 characters and no spaces");
    }
    let scp_like = !text.contains("://")
        && text
            .split_once(':')
            .is_some_and(|(host, path)| host.contains('@') && !host.starts_with('-') && !path.is_empty() && !path.starts_with('-'));
    if scp_like {
        return Ok(());
    }
    let url = url::Url::parse(text).map_err(|error| NameError::new(format!("not a URL: {error}")))?;
    if !matches!(url.scheme(), "https" | "http" | "ssh") {
        return refuse("a repository URL begins with https://, http:// or ssh://");
    }
    if url.host_str().is_none_or(|host| host.is_empty() || host.starts_with('-')) {
        return refuse("a repository URL names a host");
    }
    if url.password().is_some() || (url.scheme() != "ssh" && !url.username().is_empty()) {
        return refuse("leave credentials out of the URL: they would be shown wherever the URL is");
    }
    Ok(())
}

fn check_display_name(text: &str) -> Result<(), NameError> {
    let length = text.chars().count();
    if length == 0 || length > 100 || text.trim().is_empty() {
        return refuse("use 1 to 100 characters");
    }
    if text.chars().any(char::is_control) {
        return refuse("leave out line breaks and other control characters");
    }
    Ok(())
}

fn check_email(text: &str) -> Result<(), NameError> {
    let shape_ok = text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if !shape_ok || text.len() > 254 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return refuse("not an e-mail address");
    }
    Ok(())
}

fn check_source_path(text: &str) -> Result<(), NameError> {
    if text == "." {
        return Ok(());
    }
    let part_ok = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.chars().any(|c| c.is_control() || c == '\\');
    if text.len() > 500 || !text.split('/').all(part_ok) {
        return refuse("a path below the source's root, such as `apps/web`: relative, without `..`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T: FromStr<Err = NameError>>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(text.parse::<T>().is_ok(), "{text:?} should be accepted");
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text:?} should be refused");
        }
    }

    #[test]
    fn a_slug_is_a_dns_label() {
        accepts::<Slug>(&["a", "shop", "my-shop-2"], &["", "-a", "a-", "2a", "A", "a_b", "a.b", &"a".repeat(41), "a\nb", "$(id)"]);
    }

    #[test]
    fn a_free_text_becomes_the_nearest_slug() {
        assert_eq!(Slug::nearest("My Shop!").unwrap().as_str(), "my-shop");
        assert_eq!(Slug::nearest("2nd Try").unwrap().as_str(), "nd-try");
        assert_eq!(Slug::nearest("!!!"), None);
    }

    #[test]
    fn a_hostname_is_neither_an_address_nor_a_rule() {
        accepts::<Hostname>(
            &["example.org", "a.b-c.example", "localhost"],
            &["", "Example.org", "a..b", "-a.b", "10.0.0.1", "a`b", "a) || Host(`b", "a b", "a.", "*.example.org"],
        );
    }

    #[test]
    fn an_image_reference_is_what_docker_takes() {
        accepts::<ImageRef>(
            &["nginx", "node:22-slim", "ghcr.io/a/b:1.0", "localhost:5000/x", &format!("a@sha256:{}", "0".repeat(64))],
            &["", "Node", "a b", "node:", "node:-x", "a@sha256:12", "a//b", "a/../b", "x;y", "host:99999/x"],
        );
    }

    #[test]
    fn a_git_ref_cannot_be_an_option() {
        accepts::<GitRef>(&["main", "feature/x", "v1.0"], &["", "-x", "--upload-pack=x", "a..b", "a b", "a/.b", "a.lock", "a^", "@{1}"]);
    }

    #[test]
    fn a_git_url_carries_no_credentials_and_no_other_transport() {
        accepts::<GitUrl>(
            &["https://example.org/a.git", "ssh://git@example.org/a", "git@example.org:a/b.git"],
            &[
                "ext::sh -c id",
                "file:///etc",
                "https://u:p@example.org/a",
                "https://t@example.org/a",
                "-oProxyCommand=x",
                "/a",
                "https://",
                "git@-oX:a b",
            ],
        );
    }

    #[test]
    fn a_source_path_stays_inside() {
        accepts::<SourcePath>(&[".", "apps/web", "a.b"], &["", "..", "a/../b", "/a", "a//b", "a\0", "a\\b", "./a"]);
    }

    #[test]
    fn an_env_key_is_portable() {
        accepts::<EnvKey>(&["A", "_x", "DATABASE_URL"], &["", "1A", "A-B", "A B", "A=B", "É"]);
    }
}
