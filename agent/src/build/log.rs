//! The log of one task on its way to the core: scrubbed, in lines of bounded length, bounded as a whole, sent in batches.

use slipway_model::{
    Secret,
    state::{StepKind, StepStatus},
};
use slipway_protocol::TaskEventKind;
use tokio::sync::mpsc;

use super::scrub::Scrubber;

/// Longest line, in bytes; the rest of a longer one is left out.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

const BATCH_LINES: usize = 200;
const BATCH_BYTES: usize = 64 * 1024;

pub struct TaskLog {
    events: mpsc::Sender<TaskEventKind>,
    scrubber: Scrubber,
    /// Bytes that may still be written.
    left: u64,
    limit: u64,
    truncated: bool,
    batch: Vec<String>,
    batch_bytes: usize,
}

impl TaskLog {
    pub fn new<'a>(events: mpsc::Sender<TaskEventKind>, limit_bytes: u64, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        Self {
            events,
            scrubber: Scrubber::new(secrets),
            left: limit_bytes,
            limit: limit_bytes,
            truncated: false,
            batch: Vec::new(),
            batch_bytes: 0,
        }
    }

    /// Adds one line. Past the limit it says so once and is silent from then on.
    pub async fn line(&mut self, line: impl AsRef<str>) {
        if self.truncated {
            return;
        }
        let line = cut(self.scrubber.scrub(&plain(line.as_ref())));
        let bytes = line.len() + 1;
        if bytes as u64 > self.left {
            self.truncated = true;
            self.push(format!("(the log ends here: it reached its limit of {} KiB)", self.limit.div_ceil(1024)));
            self.flush().await;
            return;
        }
        self.left -= bytes as u64;
        self.push(line);
        if self.batch.len() >= BATCH_LINES || self.batch_bytes >= BATCH_BYTES {
            self.flush().await;
        }
    }

    fn push(&mut self, line: String) {
        self.batch_bytes += line.len() + 1;
        self.batch.push(line);
    }

    /// Sends what has been gathered. An error would mean that nobody listens any more, which ends the task elsewhere.
    pub async fn flush(&mut self) {
        if !self.batch.is_empty() {
            let lines = std::mem::take(&mut self.batch);
            self.batch_bytes = 0;
            let _ = self.events.send(TaskEventKind::Log { lines }).await;
        }
    }

    /// Tells where the task stands, after the lines that led there.
    pub async fn step(&mut self, step: StepKind, status: StepStatus, message: Option<&str>) {
        self.flush().await;
        let message = message.map(|message| self.scrubber.scrub(message));
        let _ = self.events.send(TaskEventKind::Step { step, status, message }).await;
    }

    /// For text that leaves the task by another way than the log.
    pub fn scrub(&self, text: &str) -> String {
        self.scrubber.scrub(text)
    }

    pub fn mark_truncated(&mut self) {
        self.truncated = true;
    }

    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }
}

/// The line as a terminal would leave it: what a carriage return overwrote is gone, colours and other escapes too.
fn plain(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\t' => plain.push('\t'),
            character if character.is_control() => {}
            character => plain.push(character),
        }
    }
    plain
}

/// Skips the rest of an escape sequence (ECMA-48): CSI up to its final byte, OSC up to BEL or ST, or a single character.
fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.next() {
        Some('[') => while characters.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        Some(']') => {
            while let Some(character) = characters.next() {
                if character == '\u{7}' {
                    break;
                }
                if character == '\u{1b}' {
                    characters.next_if_eq(&'\\');
                    break;
                }
            }
        }
        _ => {}
    }
}

fn cut(mut line: String) -> String {
    const MARK: &str = " (cut)";
    if line.len() > MAX_LINE_BYTES {
        line.truncate(line.floor_char_boundary(MAX_LINE_BYTES - MARK.len()));
        line.push_str(MARK);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(limit: u64, secrets: &[Secret], lines: &[&str]) -> (Vec<String>, bool) {
        let (events, mut received) = mpsc::channel(100);
        let mut log = TaskLog::new(events, limit, secrets);
        for line in lines {
            log.line(line).await;
        }
        log.flush().await;
        let truncated = log.is_truncated();
        drop(log);
        let mut seen = Vec::new();
        while let Some(TaskEventKind::Log { lines }) = received.recv().await {
            seen.extend(lines);
        }
        (seen, truncated)
    }

    #[tokio::test]
    async fn a_log_stops_at_its_limit_and_says_so_once() {
        let (lines, truncated) = lines_of(1024, &[], &["x".repeat(1000).as_str(), "y".repeat(100).as_str(), "z"]).await;
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1], "(the log ends here: it reached its limit of 1 KiB)");
        assert!(truncated);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_between_characters() {
        let (lines, truncated) = lines_of(1 << 20, &[], &["ä".repeat(20_000).as_str()]).await;
        assert!(lines[0].len() <= MAX_LINE_BYTES && lines[0].ends_with("ä (cut)"));
        assert!(!truncated);
    }

    #[tokio::test]
    async fn a_secret_is_hidden_even_where_colours_part_it() {
        let (lines, _) = lines_of(1 << 20, &[Secret::new("hunter22")], &["\u{1b}[31mhunter\u{1b}[0m22\u{1b}]8;;x\u{7}!\r"]).await;
        assert_eq!(lines, ["***!"]);
    }

    #[tokio::test]
    async fn a_progress_bar_leaves_its_last_state() {
        assert_eq!(lines_of(1 << 20, &[], &["10 %\r50 %\r100 %\r\n"]).await.0, ["100 %"]);
    }

    #[tokio::test]
    async fn steps_come_after_the_lines_before_them() {
        let (events, mut received) = mpsc::channel(10);
        let mut log = TaskLog::new(events, 1000, &[] as &[Secret]);
        log.line("first").await;
        log.step(StepKind::Build, StepStatus::Running, None).await;
        assert_eq!(received.recv().await, Some(TaskEventKind::Log { lines: vec!["first".into()] }));
        assert!(matches!(received.recv().await, Some(TaskEventKind::Step { .. })));
    }
}
