//! `ADD https://…` in a Dockerfile is refused.
//!
//! The engine itself fetches such a file, from the node's own network and following redirects, so a customer could have it read what only
//! the node may: a cloud's metadata service, another machine of the operator's. What a `RUN` fetches comes through the build's own network.
//! The text is looked at first, so that nothing is asked at all; the engine's steps are watched too, because `ONBUILD` of a base
//! image and variables can add what the text does not show.

use slipway_protocol::TaskFailure;

/// Looks at the text of a Dockerfile.
///
/// # Errors
/// The refusal, with the line.
pub fn check(path: &str, text: &str) -> Result<(), TaskFailure> {
    let mut instruction = String::new();
    let mut begun_at = 0;
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if instruction.is_empty() {
            begun_at = number;
        }
        match line.strip_suffix(['\\', '`']) {
            Some(part) => {
                instruction.push_str(part);
                instruction.push(' ');
                continue;
            }
            None => instruction.push_str(line),
        }
        if adds_remote(&instruction) {
            let mut failure = refusal();
            failure.file = Some(path.to_owned());
            failure.line = Some(begun_at);
            return Err(failure);
        }
        instruction.clear();
    }
    Ok(())
}

fn adds_remote(instruction: &str) -> bool {
    let mut words = instruction.split_ascii_whitespace();
    let mut verb = words.next().unwrap_or_default();
    if verb.eq_ignore_ascii_case("ONBUILD") {
        verb = words.next().unwrap_or_default();
    }
    let is_remote = |word: &str| {
        let word = word.trim_start_matches(['[', '"', '\'', ',']).to_ascii_lowercase();
        word.contains("://") || word.starts_with("git@")
    };
    verb.eq_ignore_ascii_case("ADD") && words.any(is_remote)
}

/// Whether a step of the engine fetches something by itself. Such a step is named after what it fetches, or after the instruction.
#[must_use]
pub fn is_fetch(step: &str) -> bool {
    let by_url = ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|scheme| step.starts_with(scheme));
    by_url || (step.starts_with('[') && step.split_once("] ").is_some_and(|(_, instruction)| adds_remote(instruction)))
}

#[must_use]
pub fn refusal() -> TaskFailure {
    TaskFailure::new("DOCKERFILE_REMOTE_ADD", "`ADD` with an address is not allowed: the node itself would fetch it")
        .fix("Fetch the file with `RUN` (`curl` or `wget`), or put it into the source and `COPY` it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_files_are_found_however_they_are_written() {
        for text in [
            "FROM a\nADD http://169.254.169.254/latest /x\n",
            "FROM a\nadd --chown=1:1 https://example.org/x /x",
            "FROM a\nADD [\"https://example.org/x\", \"/x\"]",
            "FROM a\nADD \\\n  # why\n\n  https://example.org/x \\\n  /x",
            "# escape=`\nFROM a\nADD `\n  https://example.org/x /x",
            "FROM a\nONBUILD ADD https://example.org/x /x",
            "FROM a\nADD git@example.org:a/b /x",
            "FROM a\n\tADD\tHTTPS://EXAMPLE.ORG/x\t/x",
            "FROM a\nADD local https://example.org/x /x/",
        ] {
            assert_eq!(check("Dockerfile", text).unwrap_err().code, "DOCKERFILE_REMOTE_ADD", "{text}");
        }
        assert_eq!(check("D", "FROM a\n\n# x\nADD https://a/b /b\n").unwrap_err().line, Some(4));
    }

    #[test]
    fn what_is_local_or_fetched_by_a_command_is_allowed() {
        for text in [
            "FROM a\nADD app.tar.gz /app\n",
            "FROM a\nRUN curl https://example.org/x",
            "FROM a\n# ADD https://example.org/x /x\n",
            "",
            "ADD",
        ] {
            check("Dockerfile", text).unwrap();
        }
    }

    #[test]
    fn a_step_that_fetches_is_told_from_the_context() {
        assert!(is_fetch("http://169.254.169.254/latest") && is_fetch("https://example.org/x") && is_fetch("[a 2/3] ADD http://a/b /c"));
        assert!(
            !is_fetch("[internal] load remote build context")
                && !is_fetch("[2/3] RUN curl https://example.org")
                && !is_fetch("exporting to image")
        );
    }
}
