//! Takes secret values out of text before anybody sees it.

use slipway_model::Secret;

const MASK: &str = "***";

/// Shorter values than this (`1`, `no`) cannot be told from ordinary text, so hiding them would only garble the log.
const SHORTEST: usize = 3;

/// The values to hide, longest first, so that a value that contains another is hidden whole.
pub struct Scrubber {
    values: Vec<Secret>,
}

impl Scrubber {
    /// Hides each value, and each line of a value that has several (a log is read by lines), and the forms in which tools
    /// commonly print them: base 64 and percent-encoding.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut values: Vec<String> = Vec::new();
        for secret in secrets {
            let whole = secret.expose();
            for text in std::iter::once(whole).chain(whole.lines()).map(str::trim) {
                if text.len() < SHORTEST {
                    continue;
                }
                values.push(text.to_owned());
                values.push(STANDARD.encode(text));
                values.push(url::form_urlencoded::byte_serialize(text.as_bytes()).collect());
            }
        }
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self { values: values.into_iter().map(Secret::new).collect() }
    }

    pub fn scrub(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for value in &self.values {
            if line.contains(value.expose()) {
                line = line.replace(value.expose(), MASK);
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(values: &[&str], line: &str) -> String {
        let secrets: Vec<Secret> = values.iter().map(|value| Secret::new(*value)).collect();
        Scrubber::new(&secrets).scrub(line)
    }

    #[test]
    fn a_secret_value_does_not_stay_in_a_line() {
        assert_eq!(scrub(&["hunter22"], "token=hunter22 and hunter22"), "token=*** and ***");
        assert_eq!(scrub(&["hunter22"], "aHVudGVyMjI="), "***");
        assert_eq!(scrub(&["a b/c&d"], "https://x/?q=a+b%2Fc%26d"), "https://x/?q=***");
    }

    #[test]
    fn a_value_that_contains_another_is_hidden_whole() {
        assert_eq!(scrub(&["abc", "abcdef"], "abcdef abc"), "*** ***");
    }

    #[test]
    fn every_line_of_a_key_file_is_hidden() {
        assert_eq!(scrub(&["-----BEGIN-----\nAAAA1111\n-----END-----\n"], "> AAAA1111"), "> ***");
    }

    #[test]
    fn values_too_short_to_be_secret_leave_the_log_readable() {
        assert_eq!(scrub(&["1", ""], "step 1 of 2"), "step 1 of 2");
    }
}
