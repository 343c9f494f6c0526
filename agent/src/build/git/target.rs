//! Where a repository URL really leads.

use std::net::IpAddr;

use slipway_model::GitUrl;
use slipway_outbound::{Lookup, Policy, ResolveError};
use slipway_protocol::TaskFailure;
use url::Url;

/// A URL whose host has been judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As the URL standard writes it: `http://2130706433/` has become `http://127.0.0.1/`.
    pub url: String,
    /// For curl: `host:port:address,address`. `None` where the URL names an address itself.
    pub pin: Option<String>,
}

/// # Errors
/// `SOURCE_FORBIDDEN` for what may not be fetched, `SOURCE_UNREACHABLE` for a host that has no address.
pub async fn resolve(url: &GitUrl, policy: &Policy, lookup: &dyn Lookup) -> Result<Target, TaskFailure> {
    let ssh = || {
        TaskFailure::new("SOURCE_FORBIDDEN", format!("`{url}` is an SSH address, and this machine has no SSH key for repositories"))
            .fix("Use the repository's https:// address.")
    };
    let unreachable = |reason: String| {
        TaskFailure::new("SOURCE_UNREACHABLE", reason).fix("Check the host name in the repository URL; if it is right, try again later.")
    };
    let parsed = Url::parse(url.as_str()).map_err(|_| ssh())?;
    let target = slipway_outbound::resolve(&parsed, policy, lookup).await.map_err(|error| match error {
        ResolveError::Scheme(_) => ssh(),
        ResolveError::NoHost => unreachable(format!("`{url}` names no host")),
        ResolveError::NoAddress { host, cause } => {
            if let Some(error) = cause {
                tracing::info!(host, %error, "cannot resolve a source's host");
            }
            unreachable(format!("the host `{host}` of the repository has no address"))
        }
        ResolveError::Forbidden(_) => {
            TaskFailure::new("SOURCE_FORBIDDEN", format!("the host of `{url}` is not on the public internet")).fix(
                "Use a repository that is reachable publicly, or upload the source; an administrator can allow private addresses on the node.",
            )
        }
    })?;
    let list = || target.addresses.iter().map(bracketed).collect::<Vec<_>>().join(",");
    let pin = target.name.as_ref().map(|name| format!("{name}:{}:{}", target.port, list()));
    Ok(Target { url: target.url.into(), pin })
}

fn bracketed(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;
    use slipway_outbound::SystemLookup;

    use super::*;

    struct To(Vec<IpAddr>);

    impl Lookup for To {
        fn lookup<'a>(&'a self, _name: &'a str, _port: u16) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    async fn resolved(url: &str, addresses: &[&str]) -> Result<Target, String> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        resolve(&url.parse().unwrap(), &Policy::public(), &To(addresses)).await.map_err(|failure| failure.code)
    }

    #[tokio::test]
    async fn what_is_not_on_the_public_internet_is_refused() {
        for url in ["http://127.0.0.1/a", "http://2130706433/a", "http://[::ffff:a9fe:a9fe]/a", "https://10.0.0.7:8443/a.git"] {
            assert_eq!(resolved(url, &[]).await, Err("SOURCE_FORBIDDEN".to_owned()), "{url}");
        }
        assert_eq!(resolved("https://rebind.example/a", &["140.82.121.4", "10.0.0.1"]).await, Err("SOURCE_FORBIDDEN".to_owned()));
        assert_eq!(resolved("https://nowhere.example/a", &[]).await, Err("SOURCE_UNREACHABLE".to_owned()));
        let policy: Policy = "10.0.0.0/8".parse().unwrap();
        let allowed = resolve(&"https://10.0.0.7:8443/a.git".parse().unwrap(), &policy, &SystemLookup).await.unwrap();
        assert_eq!(allowed.pin, None);
    }

    #[tokio::test]
    async fn a_name_is_pinned_to_the_addresses_that_were_judged() {
        let target = resolved("https://Git.Example/a.git", &["140.82.121.4", "2606:4700::1111"]).await.unwrap();
        assert_eq!(target.url, "https://git.example/a.git");
        assert_eq!(target.pin.as_deref(), Some("git.example:443:140.82.121.4,[2606:4700::1111]"));
    }

    #[tokio::test]
    async fn ssh_is_refused_with_the_way_out() {
        let failure = resolve(&"git@git.example:a/b.git".parse().unwrap(), &Policy::anywhere(), &SystemLookup).await.unwrap_err();
        assert_eq!(failure.code, "SOURCE_FORBIDDEN");
        assert_eq!(failure.fix.as_deref(), Some("Use the repository's https:// address."));
    }
}
