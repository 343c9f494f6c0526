//! The Procfile, which says in the customer's own words what runs: one `name: command` a line.

use crate::{Command, Process, ProcessKind};

/// One line of a Procfile, in file order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The type of process.
    pub name: String,
    /// In the customer's own words, for a shell.
    pub command: String,
    /// From 1.
    pub number: u32,
}

/// The well-formed lines; blank lines, comments and lines that are not `name: command` are passed over, and of a name
/// that appears twice the last line counts, as Heroku does.
#[must_use]
pub fn parse(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let Some((name, command)) = text.split_once(':') else { continue };
        let (name, command) = (name.trim(), command.trim());
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !named || command.is_empty() {
            continue;
        }
        let line = Line { name: name.to_owned(), command: command.to_owned(), number: index as u32 + 1 };
        match lines.iter_mut().find(|known| known.name == line.name) {
            Some(known) => *known = line,
            None => lines.push(line),
        }
    }
    lines
}

/// The command of the `web` line.
#[must_use]
pub fn web(text: &str) -> Option<String> {
    parse(text).into_iter().find(|line| line.name == "web").map(|line| line.command)
}

/// The lines as processes. `web` is the default; `release` runs once before each release; all others are workers.
#[must_use]
pub fn processes(text: &str) -> Vec<Process> {
    parse(text)
        .into_iter()
        .map(|line| {
            let kind = match line.name.as_str() {
                "web" => ProcessKind::Web,
                "release" => ProcessKind::Release,
                _ => ProcessKind::Worker,
            };
            Process {
                name: line.name.to_ascii_lowercase().replace('_', "-"),
                kind,
                command: Command::Shell(line.command),
                env: Vec::new(),
                is_default: kind == ProcessKind::Web,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_type_is_taken_and_its_command_is_left_alone() {
        let got =
            processes("web: gunicorn app:app --bind 0.0.0.0:$PORT\nemail_worker: python mail.py\n\n# a comment: no\nrelease: ./migrate\n");
        let seen: Vec<_> = got.iter().map(|p| (p.name.as_str(), p.kind, p.is_default)).collect();
        assert_eq!(
            seen,
            [("web", ProcessKind::Web, true), ("email-worker", ProcessKind::Worker, false), ("release", ProcessKind::Release, false)]
        );
        assert_eq!(got[0].command, Command::Shell("gunicorn app:app --bind 0.0.0.0:$PORT".into()));
    }

    #[test]
    fn of_a_repeated_name_the_last_line_counts() {
        assert_eq!(web("web: one\nweb: two\n").as_deref(), Some("two"));
        assert_eq!(web("worker: one\n"), None);
    }
}
