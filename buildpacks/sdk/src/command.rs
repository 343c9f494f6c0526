//! Reading the commands that people write in manifests. Nothing here quotes or runs anything.

/// The words of a simple command line, or `None` when it needs a shell: operators, variables, globs, redirections.
///
/// ```
/// use slipway_buildpack_sdk::{argv, shell, split_words};
///
/// let command = |line: &str| split_words(line).map_or_else(|| shell(line), argv);
/// assert_eq!(command("ruby 'my app.rb'"), argv(["ruby", "my app.rb"]));
/// assert_eq!(command("ruby app.rb --port $PORT"), shell("ruby app.rb --port $PORT"));
/// ```
#[must_use]
pub fn split_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut in_word = false;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"'), '$' | '`' | '\\') => return None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, in_word) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if std::mem::take(&mut in_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            (
                None,
                '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '\\' | '*' | '?' | '[' | ']' | '#' | '~' | '{' | '}' | '!' | '\n',
            ) => {
                return None;
            }
            (None, c) => {
                in_word = true;
                word.push(c);
            }
        }
    }
    if quote.is_some() {
        return None;
    }
    if in_word {
        words.push(word);
    }
    // `KEY=value command` sets a variable, which only a shell does.
    (!words.is_empty() && !words[0].contains('=')).then_some(words)
}

/// The program that a command line runs, past assignments and `exec`.
#[must_use]
pub fn first_word(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| !word.contains('=') && *word != "exec" && *word != "cross-env")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_commands_are_split_and_anything_for_a_shell_is_left_to_one() {
        assert_eq!(
            split_words("node 'my server.js' --port 3"),
            Some(vec!["node".into(), "my server.js".into(), "--port".into(), "3".into()])
        );
        for line in ["a && b", "gunicorn --bind :$PORT", "A=1 node x", "node *.js", "echo \"$x\"", "", "unclosed '"] {
            assert_eq!(split_words(line), None, "{line}");
        }
    }

    #[test]
    fn the_program_is_found_behind_assignments() {
        assert_eq!(first_word("NODE_ENV=production exec node server.js"), Some("node"));
        assert_eq!(first_word("  "), None);
    }
}
