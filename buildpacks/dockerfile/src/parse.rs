//! A Dockerfile as a list of instructions: comments, continued lines, heredocs and parser directives.

/// One instruction, with its continued lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// In capitals.
    pub name: String,
    pub rest: String,
    /// Where it begins, from 1.
    pub line: u32,
    pub has_heredoc: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    pub instructions: Vec<Instruction>,
    /// The frontend of a `# syntax=` line, and its line.
    pub syntax: Option<(String, u32)>,
    /// The word that should have ended a here-document, and the line that begins it.
    pub unended_heredoc: Option<(String, u32)>,
}

pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut escape = '\\';
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.peek() {
        let Some((key, value)) = directive(line) else { break };
        match key.as_str() {
            "syntax" => parsed.syntax = Some((value, *index as u32 + 1)),
            "escape" if value == "`" => escape = '`',
            _ => {}
        }
        lines.next();
    }
    while let Some((index, line)) = lines.next() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let mut whole = line.trim().to_owned();
        while whole.ends_with(escape) {
            whole.pop();
            match lines.next() {
                // A comment between continued lines ends nothing.
                Some((_, next)) if next.trim_start().starts_with('#') => whole.push(escape),
                Some((_, next)) if next.trim().is_empty() => whole.push(escape),
                Some((_, next)) => whole.push_str(next.trim_end()),
                None => break,
            }
        }
        let (name, rest) = whole.split_once(char::is_whitespace).unwrap_or((&whole, ""));
        let name = name.to_ascii_uppercase();
        let ends = if matches!(name.as_str(), "RUN" | "COPY" | "ADD") { heredocs(rest) } else { Vec::new() };
        for end in &ends {
            if !lines.by_ref().any(|(_, line)| line.trim_start_matches('\t').trim_end() == end) {
                parsed.unended_heredoc.get_or_insert_with(|| (end.clone(), index as u32 + 1));
            }
        }
        parsed.instructions.push(Instruction { name, rest: rest.trim().to_owned(), line: index as u32 + 1, has_heredoc: !ends.is_empty() });
    }
    parsed
}

/// `# key=value` at the very beginning of the file.
fn directive(line: &str) -> Option<(String, String)> {
    let (key, value) = line.trim().strip_prefix('#')?.split_once('=')?;
    let key = key.trim().to_ascii_lowercase();
    matches!(key.as_str(), "syntax" | "escape" | "check").then(|| (key, value.trim().to_owned()))
}

/// The words that end the heredocs which a line begins.
fn heredocs(rest: &str) -> Vec<String> {
    rest.split_whitespace()
        .filter_map(|word| {
            let word = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
            let word = word.trim_start_matches('-').trim_matches(['"', '\'']);
            (word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')).then(|| word.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continued_lines_comments_and_heredocs_are_read_as_docker_reads_them() {
        let text = "# syntax=docker/dockerfile:1\n# a comment\nFROM a AS b\nRUN one && \\\n  # between\n  two\nCOPY <<EOF /x\nEXPOSE 1\nEOF\nexpose 80\n";
        let parsed = parse(text);
        assert_eq!(parsed.syntax, Some(("docker/dockerfile:1".into(), 1)));
        let seen: Vec<_> = parsed.instructions.iter().map(|i| (i.name.as_str(), i.rest.as_str(), i.line)).collect();
        assert_eq!(seen, [("FROM", "a AS b", 3), ("RUN", "one &&   two", 4), ("COPY", "<<EOF /x", 7), ("EXPOSE", "80", 10)]);
    }

    #[test]
    fn another_escape_character_is_honoured() {
        let parsed = parse("# escape=`\nFROM a\nRUN dir C:\\`\n  more\n");
        assert_eq!(parsed.instructions[1].rest, "dir C:\\  more");
    }
}
