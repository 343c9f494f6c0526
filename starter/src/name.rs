//! What a project is called, and what becomes of it in file names, types and the ids of refusals.

use std::str::FromStr;

const LONGEST: usize = 32;

/// `[a-z][a-z0-9-]*`, without hyphens at the end or side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// Of characters that a name may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a name: small letters, digits and single hyphens, a letter first, at most {LONGEST}")]
pub struct Malformed {
    /// What was asked for.
    pub name: String,
    /// What it could be instead.
    pub instead: Option<String>,
}

impl FromStr for Name {
    type Err = Malformed;

    fn from_str(name: &str) -> Result<Self, Malformed> {
        if is_name(name) {
            return Ok(Self(name.to_owned()));
        }
        let words: Vec<_> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let instead = Some(words.join("-").to_ascii_lowercase()).filter(|instead| is_name(instead));
        Err(Malformed { name: name.to_owned(), instead })
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
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
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
            ("日本", None),
        ] {
            let error = name.parse::<Name>().unwrap_err();
            assert_eq!(error, Malformed { name: name.into(), instead: instead.map(str::to_owned) });
        }
        assert!("a".repeat(33).parse::<Name>().is_err() && "a".repeat(32).parse::<Name>().is_ok());
    }
}
