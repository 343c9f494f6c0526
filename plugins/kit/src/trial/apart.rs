//! The trial in a process of its own, begun again behind every check that ended it: what aborts, overflows its stack or hangs
//! costs one check, and has a name.

use std::{os::unix::process::ExitStatusExt, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{About, Check, Event, Report, TrialError, report::Candidate};

/// Before each event on standard output, where the plugin may write as well.
const MARK: &str = "\u{1e}slipway-trial ";

impl Event {
    /// As a line of standard output.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Events are made of strings and lists, which JSON can say.
        format!("{MARK}{}", serde_json::to_string(self).unwrap_or_default())
    }

    fn from_line(line: &str) -> Option<Self> {
        serde_json::from_str(line.split_once(MARK)?.1).ok()
    }
}

/// Runs the processes that `command` gives, each of which passes over so many checks and prints [`Event::to_line`]s.
///
/// # Errors
/// A process cannot be made, or ends without having begun a check.
pub async fn apart(plugin: &str, mut command: impl FnMut(usize) -> Command) -> Result<Report, TrialError> {
    let mut report = Report::of(Candidate { plugin: plugin.to_owned() });
    loop {
        let mut process = command(report.checks.len()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = process.stdout.take().ok_or_else(|| std::io::Error::other("its output is not there"))?;
        let mut lines = BufReader::new(stdout).lines();
        let mut begun: Option<(About, String, bool)> = None;
        let mut again = false;
        // A plugin may write what is no text; that is none of ours.
        while let Some(line) = lines.next_line().await.unwrap_or_default() {
            match Event::from_line(&line) {
                Some(Event::Begun { about, name, foundation }) => begun = Some((about, name, foundation)),
                Some(Event::Ended(check)) => {
                    begun = None;
                    report.checks.push(check);
                }
                Some(Event::Again) => {
                    again = true;
                    break;
                }
                Some(Event::Done) => return Ok(report),
                None => {}
            }
        }
        if again {
            process.kill().await?;
            continue;
        }
        let status = process.wait().await?;
        let Some((about, name, foundation)) = begun else {
            return Err(std::io::Error::other(format!("it ended with {status} and no word")).into());
        };
        let how = status.signal().map_or_else(|| status.to_string(), signal);
        let message = format!("the plugin ended the process: {how}");
        let details = vec!["on a platform, it would have ended that; it has to refuse or panic instead".to_owned()];
        report.checks.push(Check::failed(about, name, message, details));
        // Without it, no process comes to the others.
        if foundation {
            return Ok(report);
        }
    }
}

fn signal(number: i32) -> String {
    match number {
        4 => "SIGILL".into(),
        6 => "SIGABRT, as after `abort` or a panic that does not unwind".into(),
        7 => "SIGBUS".into(),
        8 => "SIGFPE".into(),
        9 => "SIGKILL".into(),
        11 => "SIGSEGV, as after a stack overflow or a bad pointer".into(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    /// A shell in the place of the trial's own process.
    fn shell(script: &str) -> impl FnMut(usize) -> Command {
        let script = script.to_owned();
        move |from| {
            let mut command = Command::new("sh");
            command.args(["-c", &script, "sh"]).arg(from.to_string());
            command
        }
    }

    fn line(event: &Event) -> String {
        event.to_line().replace('\'', "")
    }

    fn begun(name: &str) -> String {
        line(&Event::Begun { about: About::Hostile, name: name.into(), foundation: false })
    }

    fn ended(name: &str) -> String {
        let check = Check::passed(About::Hostile, name, "fine");
        line(&Event::Ended(check))
    }

    #[tokio::test]
    async fn a_check_that_ends_the_process_is_named_and_the_next_ones_are_done() {
        let script = format!(
            "if [ $1 = 0 ]; then echo 'plugin says {first}'; echo '{first_ended}'; echo '{second}'; kill -ABRT $$; fi
             if [ $1 = 2 ]; then echo '{third}'; echo '{third_ended}'; echo '{again}'; exec sleep 600; fi
             echo '{done}'",
            first = begun("one"),
            first_ended = ended("one"),
            second = begun("two"),
            third = begun("three"),
            third_ended = ended("three"),
            again = line(&Event::Again),
            done = line(&Event::Done),
        );
        let report = apart("x", shell(&script)).await.unwrap();
        let found: Vec<_> = report.checks.iter().map(|check| (check.name.as_str(), check.status)).collect();
        assert_eq!(found, [("one", Status::Passed), ("two", Status::Failed), ("three", Status::Passed)]);
        assert!(report.checks[1].message.contains("SIGABRT"), "{}", report.checks[1].message);
    }

    #[tokio::test]
    async fn a_process_without_a_word_is_no_trial() {
        assert!(matches!(apart("x", shell("exit 3")).await, Err(TrialError(_))));
    }
}
