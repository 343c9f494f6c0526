//! Which names a buildpack may have: any but those of the runtimes that are there already.

use slipway_starter::{Malformed, Name};

/// The runtimes that ship with Slipway.
const SHIPPED: [&str; 5] = ["node", "python", "php", "docker", "dockerfile"];

/// Why a name cannot be one, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Of characters that it may not have.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Of a runtime that is there already.
    #[error("the runtime `{0}` ships with Slipway")]
    Shipped(String),
}

impl BadName {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::Malformed(malformed) => {
                let instead = malformed.instead.as_deref().filter(|instead| !SHIPPED.contains(instead));
                format!("slipway buildpack new {}", instead.unwrap_or("ruby"))
            }
            Self::Shipped(name) => format!("choose another name, such as `my-{name}`"),
        }
    }
}

/// The name of a new buildpack.
///
/// # Errors
/// See [`BadName`].
pub fn parse(name: &str) -> Result<Name, BadName> {
    if SHIPPED.contains(&name) {
        return Err(BadName::Shipped(name.to_owned()));
    }
    Ok(name.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_name_is_one_that_can_be_had() {
        for (name, fix) in
            [("Ruby", "slipway buildpack new ruby"), ("Node", "slipway buildpack new ruby"), ("C++", "slipway buildpack new c")]
        {
            assert_eq!(parse(name).unwrap_err().fix(), fix, "{name}");
        }
    }

    #[test]
    fn the_runtimes_that_ship_keep_their_names() {
        assert_eq!(parse("node"), Err(BadName::Shipped("node".into())));
        assert!(parse("go").is_ok());
    }
}
