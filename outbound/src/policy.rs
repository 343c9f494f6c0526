//! What an administrator allows besides the public internet.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::is_public;

/// Where connections may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks that are allowed although they are not public.
    allowed: Vec<IpNet>,
    anywhere: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network; write it as 10.1.0.0/16, or a single address as 10.1.2.3")]
pub struct ParsePolicyError(String);

impl Policy {
    /// The public internet alone.
    #[must_use]
    pub fn public() -> Self {
        Self::default()
    }

    /// Everything, the machine itself included: for platforms whose customers are their operators.
    #[must_use]
    pub const fn anywhere() -> Self {
        Self { allowed: Vec::new(), anywhere: true }
    }

    /// The public internet, and these networks.
    #[must_use]
    pub fn and(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        Self { allowed: allowed.into_iter().collect(), anywhere: false }
    }

    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        // An IPv4 address in IPv6's clothes is the IPv4 address.
        let plain = address.to_canonical();
        self.anywhere || is_public(address) || self.allowed.iter().any(|network| network.contains(&plain))
    }
}

/// Networks with commas between them; nothing is the public internet alone.
impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        let network = |text: &str| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or_else(|_| address()).map_err(|_| ParsePolicyError(text.to_owned()))
        };
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        Ok(Self::and(names.map(network).collect::<Result<Vec<_>, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_administrator_allows_is_allowed_and_its_neighbours_are_not() {
        let policy: Policy = "10.1.0.0/16, 192.168.7.9, fd00::/8".parse().unwrap();
        let allows = |text: &str| policy.allows(text.parse().unwrap());
        assert!(allows("10.1.2.3") && allows("192.168.7.9") && allows("fd00::1") && allows("1.1.1.1"));
        assert!(allows("::ffff:10.1.2.3"), "mapped");
        assert!(!allows("10.2.0.1") && !allows("192.168.7.8") && !allows("127.0.0.1") && !allows("::ffff:127.0.0.1"));
        assert_eq!("".parse::<Policy>().unwrap(), Policy::public());
        assert!("10.1.0.0/99".parse::<Policy>().is_err() && "home".parse::<Policy>().is_err());
        assert!(Policy::anywhere().allows("127.0.0.1".parse().unwrap()));
    }
}
