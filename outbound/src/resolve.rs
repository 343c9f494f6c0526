//! Where a URL really leads.

use std::{collections::BTreeSet, io, net::IpAddr};

use futures::future::BoxFuture;
use url::{Host, Url};

use crate::Policy;

/// A URL whose host has been asked about once, and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As the URL standard writes it: `http://2130706433/` has become `http://127.0.0.1/`.
    pub url: Url,
    pub port: u16,
    /// The host's name; `None` where the URL names an address itself.
    pub name: Option<String>,
    /// All of them are allowed. At least one.
    pub addresses: Vec<IpAddr>,
}

#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("`{0}` is not spoken here; use an http:// or https:// address")]
    Scheme(String),
    #[error("the URL names no host")]
    NoHost,
    #[error("the host `{host}` has no address")]
    NoAddress { host: String, cause: Option<io::Error> },
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// The host leads to where nothing may be asked. Which address that is, is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host `{host}` is not on the public internet")]
pub struct Forbidden {
    pub host: String,
}

/// How names become addresses.
pub trait Lookup: Send + Sync {
    fn lookup<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// As this machine does.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Asks for the addresses of a URL's host, once, and judges them.
///
/// # Errors
/// See [`ResolveError`].
pub async fn resolve(url: &Url, policy: &Policy, lookup: &dyn Lookup) -> Result<Target, ResolveError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ResolveError::Scheme(url.scheme().to_owned()));
    }
    let (host, port) = url.host().zip(url.port_or_known_default()).ok_or(ResolveError::NoHost)?;
    let (addresses, name) = match host {
        Host::Ipv4(address) => (BTreeSet::from([IpAddr::V4(address)]), None),
        Host::Ipv6(address) => (BTreeSet::from([IpAddr::V6(address)]), None),
        Host::Domain(name) => {
            let no_address = |cause| ResolveError::NoAddress { host: name.to_owned(), cause };
            let found: BTreeSet<IpAddr> = lookup.lookup(name, port).await.map_err(|error| no_address(Some(error)))?.into_iter().collect();
            if found.is_empty() {
                return Err(no_address(None));
            }
            (found, Some(name.to_owned()))
        }
    };
    // One forbidden address among several is enough: which of them is dialled is not for us to choose.
    if !addresses.iter().all(|address| policy.allows(*address)) {
        return Err(Forbidden { host: url.host_str().unwrap_or_default().to_owned() }.into());
    }
    Ok(Target { url: url.clone(), port, name, addresses: addresses.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct To(Vec<IpAddr>);

    impl Lookup for To {
        fn lookup<'a>(&'a self, _name: &'a str, _port: u16) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    async fn resolved(url: &str, addresses: &[&str]) -> Result<Target, ResolveError> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        resolve(&url.parse().unwrap(), &Policy::public(), &To(addresses)).await
    }

    #[tokio::test]
    async fn every_spelling_of_a_forbidden_address_is_refused() {
        for url in [
            "http://127.0.0.1/a",
            "http://2130706433/a",
            "http://0177.0.0.1/a",
            "http://0x7f000001/a",
            "http://0x7f.1/a",
            "http://017700000001/a",
            "http://127.1/a",
            "http://0/a",
            "http://169.254.169.254/latest/meta-data",
            "http://2852039166/latest/meta-data",
            "http://[::1]/a",
            "http://[::]/a",
            "http://[::ffff:127.0.0.1]/a",
            "http://[::ffff:a9fe:a9fe]/a",
            "http://[64:ff9b::a9fe:a9fe]/a",
            "http://[fe80::1]/a",
            "http://[ff02::1]/a",
            "http://224.0.0.1/a",
            "http://255.255.255.255/a",
            "https://10.0.0.7:8443/a",
            "http://user@127.0.0.1@10.0.0.1/a",
            "http://127。0。0。1/a",
            "http://①②⑦.0.0.1/a",
        ] {
            assert!(matches!(resolved(url, &[]).await, Err(ResolveError::Forbidden(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_with_any_forbidden_address_is_refused() {
        assert!(matches!(resolved("https://localhost/", &["127.0.0.1"]).await, Err(ResolveError::Forbidden(_))));
        assert!(matches!(resolved("https://a.example/", &["140.82.121.4", "10.0.0.1"]).await, Err(ResolveError::Forbidden(_))));
        assert!(matches!(resolved("https://a.example/", &["::ffff:10.0.0.1"]).await, Err(ResolveError::Forbidden(_))));
        assert!(matches!(resolved("https://a.example/", &[]).await, Err(ResolveError::NoAddress { .. })));
    }

    #[tokio::test]
    async fn other_schemes_are_not_spoken() {
        for url in ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "unix:/run/docker.sock"] {
            assert!(matches!(resolved(url, &["1.1.1.1"]).await, Err(ResolveError::Scheme(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn a_public_name_keeps_all_the_addresses_that_were_judged() {
        let target = resolved("https://Git.Example/a.git", &["140.82.121.4", "2606:4700::1111", "140.82.121.4"]).await.unwrap();
        assert_eq!((target.url.as_str(), target.port, target.name.as_deref()), ("https://git.example/a.git", 443, Some("git.example")));
        assert_eq!(target.addresses.len(), 2);
    }
}
