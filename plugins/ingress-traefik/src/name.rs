//! Names that are put into Traefik's configuration.

use slipway_plugin_sdk::PluginError;

/// DNS names only (RFC 1123, lower case): letters, digits, hyphens and dots, so nothing that means something in a rule.
pub(crate) fn check_hostname(hostname: &str) -> Result<(), String> {
    let problem = |problem: &str| Err(format!("`{}` is not a host name: {problem}", hostname.escape_default()));
    if hostname.is_empty() || hostname.len() > 253 {
        return problem("it has 1 to 253 characters");
    }
    if hostname.contains('*') {
        return problem("wildcards are not served, name each host");
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label_ok =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(allowed);
    if !hostname.split('.').all(label_ok) {
        return problem("each part is 1 to 63 lower-case letters, digits and inner hyphens (other alphabets in their xn-- form)");
    }
    if hostname.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return problem("it ends in a number; IP addresses are not served");
    }
    Ok(())
}

/// The id of an application or an instance: it names a file, a router, and a place where an address is put in.
pub(crate) fn check_id(what: &str, id: &str) -> Result<(), PluginError> {
    if (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(PluginError::new("ID_INVALID", format!("{id:?} is not the id of an {what}: letters, digits and underscores")))
}

/// The value of a response header.
pub(crate) fn check_revision(revision: &str) -> Result<(), PluginError> {
    if (1..=128).contains(&revision.len()) && revision.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'))
    {
        return Ok(());
    }
    Err(PluginError::new("REVISION_INVALID", format!("{revision:?} is not a revision: letters, digits, `_`, `-`, `.` and `:`")))
}
