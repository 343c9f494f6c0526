//! What a buildpack is called, and what becomes of it in file names, types and the ids of refusals.

use std::str::FromStr;

/// The runtimes that ship with Slipway.
const SHIPPED: [&str; 5] = ["node", "python", "php", "docker", "dockerfile"];
const LONGEST: usize = 32;

/// `[a-z][a-z0-9-]*`, without hyphens at the end or side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// Why a name cannot be one, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Of characters that it may not have.
    #[error("`{name}` is not a name for a buildpack: small letters, digits and single hyphens, a letter first, at most {LONGEST}")]
    Malformed {
        /// What was asked for.
        name: String,
        /// What it could be instead.
        instead: Option<String>,
    },
    /// Of a runtime that is there already.
    #[error("the runtime `{0}` ships with Slipway")]
    Shipped(String),
}

impl BadName {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::Malformed { instead: Some(instead), .. } => format!("slipway buildpack new {instead}"),
            Self::Malformed { instead: None, .. } => "slipway buildpack new ruby".into(),
            Self::Shipped(name) => format!("choose another name, such as `my-{name}`"),
        }
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Self, BadName> {
        if SHIPPED.contains(&name) {
            return Err(BadName::Shipped(name.to_owned()));
        }
        if is_name(name) {
            return Ok(Self(name.to_owned()));
        }
        let words: Vec<_> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let instead = words.join("-").to_ascii_lowercase();
        let instead = Some(instead).filter(|instead| is_name(instead) && !SHIPPED.contains(&instead.as_str()));
        Err(BadName::Malformed { name: name.to_owned(), instead })
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.ends_with('-')
        && !text.contains("--")
}

impl Name {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A template with this name in its places.
    pub(super) fn fill(&self, template: &str) -> String {
        let module = self.0.replace('-', "_");
        template
            .replace("{{id}}", &self.0)
            .replace("{{module}}", &module)
            .replace("{{ID}}", &module.to_ascii_uppercase())
            .replace("{{Type}}", &self.type_name())
    }

    fn type_name(&self) -> String {
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(capital).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fills_its_places() {
        let name: Name = "my-lang2".parse().unwrap();
        assert_eq!(name.fill("{{id}} {{module}} {{ID}} {{Type}}"), "my-lang2 my_lang2 MY_LANG2 MyLang2");
    }

    #[test]
    fn a_bad_name_is_refused_with_a_better_one() {
        for (name, instead) in [
            ("Ruby", Some("ruby")),
            ("my_lang", Some("my-lang")),
            ("C++", Some("c")),
            ("../elm", Some("elm")),
            ("--x", Some("x")),
            ("9lives", None),
            ("", None),
            ("Node", None),
            ("日本", None),
        ] {
            let error = name.parse::<Name>().unwrap_err();
            assert_eq!(error, BadName::Malformed { name: name.into(), instead: instead.map(str::to_owned) });
            assert!(error.fix().starts_with("slipway buildpack new "), "{name}");
        }
        assert!("a".repeat(33).parse::<Name>().is_err() && "a".repeat(32).parse::<Name>().is_ok());
    }

    #[test]
    fn the_runtimes_that_ship_keep_their_names() {
        assert_eq!("node".parse::<Name>(), Err(BadName::Shipped("node".into())));
        assert!("go".parse::<Name>().is_ok());
    }
}
