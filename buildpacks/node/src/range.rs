//! Version ranges in npm's syntax, as the versions they admit. What a range resolves to is not decided here; only whether two
//! statements can both be true. Prereleases count as the release they lead to.

type Version = (u64, u64, u64);

/// From the first, up to but not including the second; without a second, without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: Version,
    until: Option<Version>,
}

const ANY: Span = Span { from: (0, 0, 0), until: None };

/// A union of spans; a range that contradicts itself has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    spans: Vec<Span>,
}

impl Span {
    fn and(self, other: Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let from = self.from.max(other.from);
        until.is_none_or(|until| from < until).then_some(Self { from, until })
    }
}

impl Range {
    /// `None`: the text is not a range.
    pub fn parse(text: &str) -> Option<Self> {
        let mut spans = Vec::new();
        for part in text.split("||") {
            spans.extend(parse_part(part)?);
        }
        Some(Self { spans })
    }

    /// Every version.
    pub fn any() -> Self {
        Self { spans: vec![ANY] }
    }

    /// No version can be in it.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether some version is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.spans.iter().any(|a| other.spans.iter().any(|b| a.and(*b).is_some()))
    }

    /// Whether all of it comes before `major`.0.0.
    pub fn is_before(&self, major: u64) -> bool {
        !self.is_empty() && self.spans.iter().all(|span| span.until.is_some_and(|until| until <= (major, 0, 0)))
    }

    /// Whether the newest versions of the other are in this one too.
    pub fn holds_newest_of(&self, other: &Self) -> bool {
        let Some(last) = other.spans.iter().max_by_key(|span| span.until.unwrap_or((u64::MAX, 0, 0))) else { return false };
        self.spans.iter().any(|span| match (span.until, last.until) {
            (None, _) => span.and(*last).is_some(),
            (Some(_), None) => false,
            (Some(end), Some(last_end)) => end >= last_end && span.and(*last).is_some(),
        })
    }
}

/// What `&&` would stand between, if npm wrote it.
fn parse_part(part: &str) -> Option<Option<Span>> {
    let spaced = part.replace(',', " ");
    let mut words = spaced.split_whitespace().peekable();
    let mut all = Some(ANY);
    while let Some(word) = words.next() {
        let mut word = word.to_owned();
        // `>= 18` is one comparison.
        while word.bytes().all(|b| b"<>=~^".contains(&b)) {
            word.push_str(words.next()?);
        }
        let span = if words.peek() == Some(&"-") {
            words.next();
            let (from, to) = (Partial::parse(&word)?, Partial::parse(words.next()?)?);
            Span { from: from.first(), until: None }.and(Span { from: (0, 0, 0), until: to.after() })
        } else {
            comparison(&word)?
        };
        all = all.and_then(|all| all.and(span?));
    }
    Some(all)
}

/// `Some(None)`: nothing fulfils it, as with `<0`.
fn comparison(word: &str) -> Option<Option<Span>> {
    let version = word.trim_start_matches(['<', '>', '=', '~', '^']);
    let operator = &word[..word.len() - version.len()];
    let partial = Partial::parse(version)?;
    let (first, after) = (partial.first(), partial.after());
    let span = |from, until: Option<Version>| Some(Span { from, until }).filter(|span| span.until.is_none_or(|until| span.from < until));
    Some(match operator {
        "" | "=" | "==" => span(first, after),
        ">" => after.and_then(|after| span(after, None)),
        ">=" | "=>" => span(first, None),
        "<" => span((0, 0, 0), if partial.major.is_some() { Some(first) } else { None }),
        "<=" | "=<" => span((0, 0, 0), after),
        "~" | "~>" | "~=" => span(first, Partial { patch: None, ..partial }.after()),
        "^" | "^=" | "^>" => span(first, partial.next_incompatible()),
        _ => return None,
    })
}

/// `1`, `1.x`, `1.2.*`, `v1.2.3-beta.1+build`.
#[derive(Debug, Clone, Copy)]
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(['v', 'V']);
        let (core, suffix) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
        let sound = |b: u8| b.is_ascii_alphanumeric() || b".-+".contains(&b);
        if !suffix.is_empty() && (suffix.len() == 1 || !suffix.bytes().all(sound)) {
            return None;
        }
        let mut parts = [None; 3];
        let mut wild = false;
        for (index, part) in core.split('.').enumerate() {
            let slot = parts.get_mut(index)?;
            match part {
                "x" | "X" | "*" => wild = true,
                // What follows a wild part does not narrow it.
                digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                    let number = digits.parse().ok()?;
                    *slot = (!wild).then_some(number);
                }
                _ => return None,
            }
        }
        let [major, minor, patch] = parts;
        Some(Self { major, minor, patch })
    }

    fn first(self) -> Version {
        (self.major.unwrap_or(0), self.minor.unwrap_or(0), self.patch.unwrap_or(0))
    }

    /// The first version after all that it stands for; `None`: it stands for every one.
    fn after(self) -> Option<Version> {
        let major = self.major?;
        Some(match (self.minor, self.patch) {
            (None, _) => (major.saturating_add(1), 0, 0),
            (Some(minor), None) => (major, minor.saturating_add(1), 0),
            (Some(minor), Some(patch)) => (major, minor, patch.saturating_add(1)),
        })
    }

    /// The end of what `^` admits.
    fn next_incompatible(self) -> Option<Version> {
        let major = self.major?;
        Some(match (major, self.minor, self.patch) {
            (0, Some(0), Some(patch)) => (0, 0, patch.saturating_add(1)),
            (0, Some(minor), _) => (0, minor.saturating_add(1), 0),
            _ => (major.saturating_add(1), 0, 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        Range::parse(text).unwrap_or_else(|| panic!("{text} is a range"))
    }

    #[test]
    fn npm_ranges_are_known_from_other_words() {
        for good in [
            "22",
            "v20.1.0",
            ">=18",
            ">= 18.0.0 < 23",
            "= 0.8.x",
            "^20 || ^22",
            "20.x",
            "*",
            "",
            "18 - 20",
            "~16.3",
            "~> 4.2",
            "22.0.0-rc.1",
            ">=14,<17",
            "x",
            "18.x.x",
            "20||22",
            ">=1.2.3-alpha <2",
        ] {
            assert!(Range::parse(good).is_some(), "{good}");
        }
        for bad in
            ["iojs", "twenty", "20.1.2.3", "^", "18 >=", "1..2", "lts/unknown", "0.17q", "18 -", "- 18", "99999999999999999999", "1-"]
        {
            assert!(Range::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn two_ranges_meet_where_a_version_is_in_both() {
        for (a, b) in [
            (">=18", "20.11.0"),
            ("^18 || ^20", "20.x"),
            ("18 - 20", "20.19.1"),
            ("~16.3", "16.3.9"),
            ("^0.2.3", "0.2.9"),
            ("*", "5"),
            ("<=20", "20.99.0"),
            (">18", "19"),
            ("22.0.0-rc.1", "22"),
            ("^0.0", "0.0.7"),
            ("^0", "0.9"),
            ("^0.0.3", "0.0.3"),
        ] {
            assert!(range(a).meets(&range(b)), "{a} and {b}");
        }
        for (a, b) in [
            (">=18", "16"),
            ("^18 || ^20", "19"),
            ("18 - 20", "21"),
            ("<20", "20.0.0"),
            ("~16.3", "16.4.0"),
            ("^0.2.3", "0.3.0"),
            (">18", "18.20.0"),
            ("^0.0.3", "0.0.4"),
        ] {
            assert!(!range(a).meets(&range(b)), "{a} and {b}");
        }
    }

    #[test]
    fn a_range_that_contradicts_itself_is_empty() {
        assert!(range(">=20 <18").is_empty());
        assert!(range("18 20").is_empty());
        assert!(!range(">=20 <18 || 22").is_empty());
        assert!(range("<0").is_empty());
    }

    #[test]
    fn what_comes_before_a_major_and_what_reaches_to_the_end_of_another_range() {
        assert!(range("16.x || 18").is_before(20));
        assert!(!range(">=16").is_before(20));
        assert!(range(">=9").holds_newest_of(&range("9")));
        assert!(!range("9.1.x").holds_newest_of(&range("9")));
        assert!(!range("8").holds_newest_of(&range("9")));
    }
}
