//! Which machine a request comes from: the one that connected, or, where that is a proxy of the operator, the one that the proxy names.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, request::Parts};

/// Each proxy adds the address that it was called from at the end.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

pub(super) fn of(parts: &Parts, proxies: &[IpAddr]) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip();
    Some(behind(peer, &parts.headers, proxies))
}

/// Goes back from proxy to proxy until it comes to a machine that is none. What stands before that is only what somebody says.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let mut address = peer.to_canonical();
    let named = headers.get_all(FORWARDED_FOR).iter().flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let mut named: Vec<&str> = named.map(str::trim).collect();
    while proxies.contains(&address) {
        match named.pop().and_then(|name| name.parse::<IpAddr>().ok()) {
            Some(earlier) => address = earlier.to_canonical(),
            None => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let headers = forwarded.iter().map(|value| (FORWARDED_FOR, value.parse().unwrap())).collect();
        super::behind(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_proxies_of_the_operator_are_believed() {
        assert_eq!(behind("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(behind("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(behind("::ffff:10.0.0.1", &["198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(behind("10.0.0.1", &["198.51.100.1", "10.0.0.2"]), "198.51.100.1");
    }

    #[test]
    fn what_a_client_says_of_itself_is_not_believed() {
        assert_eq!(behind("10.0.0.1", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(behind("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(behind("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(behind("10.0.0.1", &["10.0.0.2"]), "10.0.0.2");
    }
}
