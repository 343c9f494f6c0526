//! Names that are put into nginx's configuration.

use slipway_plugin_sdk::PluginError;

/// DNS names only (RFC 1123, lower case): letters, digits, hyphens and dots, so nothing that means something to nginx.
pub(crate) fn check_hostname(hostname: &str) -> Result<(), String> {
    let problem = |problem: &str| Err(format!("`{}` is not a host name: {problem}", hostname.escape_default()));
    if hostname.is_empty() || hostname.len() > 253 {
        return problem("it has 1 to 253 characters");
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

/// The id of an application or an instance, or a revision.
pub(crate) fn check_id(id: &str) -> Result<(), PluginError> {
    if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        return Ok(());
    }
    Err(PluginError::new("ID_INVALID", format!("{id:?} has something else than letters, digits, `_` and `-`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_names_are_host_names() {
        for good in ["localhost", "shop.example.org", "xn--e1afmkfd.example", "a-b.c"] {
            assert_eq!(check_hostname(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "a..b", "-a.b", "A.b", "*.a", "a;b", "a{b}", "a b", "a\nb", "$a", "10.0.0.1", "日本"] {
            assert!(check_hostname(bad).is_err(), "{bad}");
        }
    }
}
