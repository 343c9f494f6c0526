//! Command lines that a shell runs.

/// Words that only the shell itself understands, or that are of no use in place of it.
const OF_THE_SHELL: [&str; 27] = [
    ".", ":", "[", "!", "alias", "break", "case", "cd", "command", "echo", "eval", "exec", "exit", "export", "false", "for", "if", "read",
    "set", "source", "test", "trap", "true", "ulimit", "umask", "until", "while",
];

/// The line with `exec` where it runs one program, so that the program takes the shell's place and receives its signals: a
/// shell that waits for a child lets the child be killed at the end of the grace period. All other lines are left alone.
#[must_use]
pub fn in_place_of_shell(line: &str) -> String {
    let line = line.trim();
    if line.contains(['\n', ';', '&', '|', '(', '`', '{', '}']) && !only_variables(line) {
        return line.to_owned();
    }
    let mut rest = line;
    loop {
        let word = rest.split_whitespace().next().unwrap_or_default();
        if !is_assignment(word) || word.contains(['"', '\'']) {
            break;
        }
        rest = rest[word.len()..].trim_start();
    }
    let program = rest.split_whitespace().next().unwrap_or_default();
    if program.is_empty() || is_assignment(program) || OF_THE_SHELL.contains(&program) {
        return line.to_owned();
    }
    format!("{}exec {rest}", &line[..line.len() - rest.len()])
}

/// Whether braces are only those of `${NAME}`, and there is nothing else that makes a line more than one command.
fn only_variables(line: &str) -> bool {
    let plain = !line.contains(['\n', ';', '&', '|', '(', '`']);
    plain && line.matches('{').count() == line.matches("${").count()
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::in_place_of_shell;

    #[test]
    fn one_program_takes_the_place_of_its_shell() {
        for (line, expected) in [
            ("gunicorn --bind 0.0.0.0:$PORT app:app", "exec gunicorn --bind 0.0.0.0:$PORT app:app"),
            ("A=1 B=$X node server.js", "A=1 B=$X exec node server.js"),
            ("node x.js --port ${PORT:-3000} > /dev/null", "exec node x.js --port ${PORT:-3000} > /dev/null"),
        ] {
            assert_eq!(in_place_of_shell(line), expected);
        }
    }

    #[test]
    fn everything_else_is_left_alone() {
        for line in [
            "migrate && serve",
            "exec node x",
            "cd web; node x",
            "while true; do x; done",
            "export A=1",
            "A='b c' node x",
            "A=1",
            "x | tee log",
            "echo $(date)",
            "a {b}",
        ] {
            assert_eq!(in_place_of_shell(line), line);
        }
    }
}
