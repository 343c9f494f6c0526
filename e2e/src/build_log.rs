//! What a build's log says of its steps.

/// A step of the engine's, as the log tells it: `#4 install: RUN npm ci`, and later how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedStep {
    /// Of the plan; empty in a Dockerfile's unnamed stages.
    pub step: String,
    /// With its verb, such as `RUN npm ci`.
    pub command: String,
    /// Whether it was carried out; otherwise the cache had it.
    pub ran: bool,
}

/// The steps of which the log tells the end, in the order of their numbers' first lines.
#[must_use]
pub fn steps(log: &str) -> Vec<LoggedStep> {
    let mut begun: Vec<(&str, LoggedStep)> = Vec::new();
    let mut ended = Vec::new();
    for line in log.lines() {
        let Some((number, text)) = line.trim_start_matches([' ', '│']).strip_prefix('#').and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        match begun.iter_mut().find(|(known, _)| *known == number) {
            None => {
                let (step, command) = text.split_once(": ").filter(|(step, _)| !step.contains(' ')).unwrap_or(("", text));
                begun.push((number, LoggedStep { step: step.to_owned(), command: command.to_owned(), ran: false }));
            }
            Some((_, step)) if text.starts_with("done in ") => {
                step.ran = true;
                ended.push(number);
            }
            Some(_) if text == "unchanged, taken from the cache" => ended.push(number),
            Some(_) => {}
        }
    }
    begun.into_iter().filter(|(number, _)| ended.contains(number)).map(|(_, step)| step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ran_or_the_cache_had_it() {
        let log = "→ build\n  │ #1 install: RUN npm ci\n  │ #1 added 3 packages: fine\n  │ #2 RUN ls\n  │ #1 done in 1.5 s\n  │ #2 unchanged, taken from the cache\n  │ #3 COPY . .\n";
        let step = |step: &str, command: &str, ran| LoggedStep { step: step.into(), command: command.into(), ran };
        assert_eq!(steps(log), [step("install", "RUN npm ci", true), step("", "RUN ls", false)]);
    }
}
