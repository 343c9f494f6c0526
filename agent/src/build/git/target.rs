//! Where a repository URL really leads.

use std::{collections::BTreeSet, net::IpAddr};

use slipway_model::GitUrl;
use slipway_protocol::TaskFailure;
use url::{Host, Url};

use crate::build::address;

/// A URL whose host has been judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As the URL standard writes it: `http://2130706433/` has become `http://127.0.0.1/`.
    pub url: String,
    /// For curl: `host:port:address,address`. `None` where the URL names an address itself.
    pub pin: Option<String>,
}

/// How names become addresses.
#[derive(Debug, Clone)]
pub enum Resolve {
    /// As this machine does.
    System,
    /// Always these, for tests of what follows from them.
    #[cfg(test)]
    To(Vec<IpAddr>),
}

/// # Errors
/// `SOURCE_FORBIDDEN` for what may not be fetched, `SOURCE_UNREACHABLE` for a host that has no address.
pub async fn resolve(url: &GitUrl, allow_private: bool, resolver: Resolve) -> Result<Target, TaskFailure> {
    let parsed = Url::parse(url.as_str()).ok().filter(|parsed| matches!(parsed.scheme(), "https" | "http"));
    let Some(parsed) = parsed else {
        return Err(TaskFailure::new(
            "SOURCE_FORBIDDEN",
            format!("`{url}` is an SSH address, and this machine has no SSH key for repositories"),
        )
        .fix("Use the repository's https:// address."));
    };
    let unreachable = |reason: String| {
        TaskFailure::new("SOURCE_UNREACHABLE", reason).fix("Check the host name in the repository URL; if it is right, try again later.")
    };
    let Some((host, port)) = parsed.host().zip(parsed.port_or_known_default()) else {
        return Err(unreachable(format!("`{url}` names no host")));
    };
    let (addresses, name) = match host {
        Host::Ipv4(address) => (BTreeSet::from([IpAddr::V4(address)]), None),
        Host::Ipv6(address) => (BTreeSet::from([IpAddr::V6(address)]), None),
        Host::Domain(name) => {
            let addresses = lookup(name, port, resolver).await.map_err(|error| {
                tracing::info!(host = name, %error, "cannot resolve a source's host");
                unreachable(format!("the host `{name}` of the repository has no address"))
            })?;
            (addresses, Some(name.to_owned()))
        }
    };
    if addresses.is_empty() {
        return Err(unreachable(format!("the host of `{url}` has no address")));
    }
    // One forbidden address among several is enough: which of them is dialled is not for us to choose.
    if !allow_private && !addresses.iter().copied().all(address::is_public) {
        return Err(TaskFailure::new("SOURCE_FORBIDDEN", format!("the host of `{url}` is not on the public internet")).fix(
            "Use a repository that is reachable publicly, or upload the source; an administrator can allow private addresses on the node.",
        ));
    }
    let list = || addresses.iter().map(bracketed).collect::<Vec<_>>().join(",");
    let pin = name.map(|name| format!("{name}:{port}:{}", list()));
    Ok(Target { url: parsed.into(), pin })
}

async fn lookup(name: &str, port: u16, resolver: Resolve) -> std::io::Result<BTreeSet<IpAddr>> {
    match resolver {
        Resolve::System => Ok(tokio::net::lookup_host((name, port)).await?.map(|address| address.ip()).collect()),
        #[cfg(test)]
        Resolve::To(addresses) => Ok(addresses.into_iter().collect()),
    }
}

fn bracketed(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(url: &str, addresses: &[&str]) -> Result<Target, String> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        resolve(&url.parse().unwrap(), false, Resolve::To(addresses)).await.map_err(|failure| failure.code)
    }

    #[tokio::test]
    async fn every_spelling_of_a_forbidden_address_is_refused() {
        for url in [
            "http://127.0.0.1/a",
            "http://2130706433/a",
            "http://0177.0.0.1/a",
            "http://0x7f000001/a",
            "http://127.1/a",
            "http://0/a",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/a",
            "http://[::ffff:127.0.0.1]/a",
            "http://[::ffff:a9fe:a9fe]/a",
            "https://10.0.0.7:8443/a.git",
            "http://127。0。0。1/a",
        ] {
            assert_eq!(resolved(url, &[]).await, Err("SOURCE_FORBIDDEN".to_owned()), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_with_any_forbidden_address_is_refused() {
        assert_eq!(resolved("https://localhost/a", &["127.0.0.1"]).await, Err("SOURCE_FORBIDDEN".to_owned()));
        assert_eq!(resolved("https://rebind.example/a", &["140.82.121.4", "10.0.0.1"]).await, Err("SOURCE_FORBIDDEN".to_owned()));
    }

    #[tokio::test]
    async fn a_name_is_pinned_to_the_addresses_that_were_judged() {
        let target = resolved("https://Git.Example/a.git", &["140.82.121.4", "2606:4700::1111"]).await.unwrap();
        assert_eq!(target.url, "https://git.example/a.git");
        assert_eq!(target.pin.as_deref(), Some("git.example:443:140.82.121.4,[2606:4700::1111]"));
    }

    #[tokio::test]
    async fn ssh_is_refused_with_the_way_out() {
        let failure = resolve(&"git@git.example:a/b.git".parse().unwrap(), true, Resolve::System).await.unwrap_err();
        assert_eq!(failure.code, "SOURCE_FORBIDDEN");
        assert_eq!(failure.fix.as_deref(), Some("Use the repository's https:// address."));
    }
}
