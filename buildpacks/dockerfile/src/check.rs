//! What the builder would refuse, refused before anything is built.

use slipway_buildpack_sdk::{Refusal, refuse};

use crate::parse::{Instruction, Parsed};

const KNOWN: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

pub fn check(parsed: &Parsed, path: &str) -> Result<(), Refusal> {
    let mut has_stage = false;
    for Instruction { name, rest, line, .. } in &parsed.instructions {
        let refusal = |code: &str, message: String| refuse(code, message).at(path).line(*line);
        if !KNOWN.contains(&name.as_str()) {
            let refusal =
                refusal("DOCKERFILE_INSTRUCTION_UNKNOWN", format!("`{}` is not an instruction of a Dockerfile.", shortened(name)));
            return Err(match nearest(name) {
                Some(near) => refusal.fix(format!("Did you mean `{near}`?")),
                None => refusal.fix(
                    "Correct the line. Where it continues the one before it, end that one with a backslash; where it is a remark, begin it with `#`.",
                ),
            });
        }
        if name == "FROM" {
            has_stage = true;
        } else if !has_stage && name != "ARG" {
            return Err(refusal("DOCKERFILE_NO_FROM", format!("`{name}` comes before the first `FROM`, where only `ARG` may stand."))
                .fix("Begin the file with `FROM <image>`."));
        }
        let arguments = rest.split_whitespace().filter(|word| !word.starts_with("--")).count();
        let fewest = match name.as_str() {
            "COPY" | "ADD" if rest.trim_start_matches(|c| c != '[').starts_with('[') => 1,
            "COPY" | "ADD" => 2,
            "FROM" | "ENV" | "ARG" | "EXPOSE" | "WORKDIR" | "USER" | "LABEL" => 1,
            _ => 0,
        };
        if arguments < fewest {
            let wanted = if fewest == 2 { "two arguments, what to copy and where to" } else { "an argument" };
            return Err(refusal("DOCKERFILE_INSTRUCTION_INVALID", format!("`{name}` needs {wanted}.")).fix("Complete the line."));
        }
    }
    if let Some((word, line)) = &parsed.unended_heredoc {
        return Err(refuse("DOCKERFILE_HEREDOC_UNENDED", format!("The here-document that begins here is never ended by a line `{word}`."))
            .at(path)
            .line(*line)
            .fix(format!("Add a line with nothing but `{word}`.")));
    }
    if has_stage {
        return Ok(());
    }
    Err(refuse("DOCKERFILE_NO_FROM", format!("`{path}` has no `FROM`, so there is nothing to build from."))
        .at(path)
        .fix("Begin it with `FROM <image>`."))
}

/// The instruction that a word was probably meant to be: at most two letters away.
fn nearest(name: &str) -> Option<&'static str> {
    let (distance, near) = KNOWN.into_iter().map(|known| (distance(name, known), known)).min()?;
    (distance <= 2 && distance < near.len() - 1).then_some(near)
}

/// Letters to add, drop, change or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(20).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            rows[i][j] = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                rows[i][j] = rows[i][j].min(rows[i - 2][j - 2] + 1);
            }
        }
    }
    rows[a.len()][b.len()]
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn refused(text: &str) -> (String, Option<u32>, String) {
        let refusal = check(&parse(text), "Dockerfile").unwrap_err();
        (refusal.code, refusal.line, refusal.fix)
    }

    #[test]
    fn an_unknown_instruction_is_refused_with_the_nearest_known_one() {
        for (wrong, right) in [("FORM", "FROM"), ("COPPY", "COPY"), ("WORKDIT", "WORKDIR"), ("entrypont", "ENTRYPOINT"), ("RUM", "RUN")] {
            let (code, line, fix) = refused(&format!("FROM a\n\n{wrong} x y\n"));
            assert_eq!((code.as_str(), line), ("DOCKERFILE_INSTRUCTION_UNKNOWN", Some(3)));
            assert_eq!(fix, format!("Did you mean `{right}`?"));
        }
        let (_, line, fix) = refused("FROM a\nRUN one\n  && two\n");
        assert_eq!(line, Some(3));
        assert!(fix.contains("end that one with a backslash"), "{fix}");
    }

    #[test]
    fn what_the_builder_needs_is_asked_for_by_line() {
        assert_eq!(refused("ARG A=1\nRUN x\nFROM a\n").0, "DOCKERFILE_NO_FROM");
        assert_eq!(refused("# nothing\n").0, "DOCKERFILE_NO_FROM");
        assert_eq!(refused("FROM a\nCOPY --chown=1 x\n").0, "DOCKERFILE_INSTRUCTION_INVALID");
        let (code, line, _) = refused("FROM a\nRUN <<EOF\nls\n");
        assert_eq!((code.as_str(), line), ("DOCKERFILE_HEREDOC_UNENDED", Some(2)));
        check(&parse("arg V=1\r\nfrom a:$V as b\r\ncopy [\"x\", \"y\"]\r\nrun <<EOF\r\nls\r\nEOF\r\n"), "Dockerfile").unwrap();
    }
}
