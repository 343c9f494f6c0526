//! Turns BuildKit's events into a log that reads like one: numbered steps with plain names, and the output of their commands.

use std::collections::HashMap;

use crate::docker::buildkit::{BuildEvent, Vertex, VertexLog};

/// The start of a line that the engine writes where it drops a command's output.
const CLIPPED: &str = "[output clipped";

/// A line that has no end yet is held up to this size, which is more than is shown of it.
const MAX_PARTIAL_BYTES: usize = 64 * 1024;

/// A step's name in the customer's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    /// The stage, if it has a name.
    pub stage: Option<String>,
    /// `RUN`, `COPY`, …; empty for what the engine does of itself.
    pub verb: String,
    /// The command or the arguments.
    pub command: String,
}

impl Readable {
    pub fn place(&self) -> String {
        self.stage.as_ref().map(|stage| format!(" in the step `{stage}`")).unwrap_or_default()
    }

    pub fn instruction(&self) -> String {
        format!("`{}`{}", format!("{} {}", self.verb, self.command).trim(), self.place())
    }
}

/// `[step-build 3/4] RUN --mount=… ["/usr/bin/env","A=1","npm","ci"]` is `RUN npm ci` in the step `build`.
#[must_use]
pub fn readable(name: &str) -> Readable {
    let (place, text) = match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((place, text)) => (place, text),
        None => ("", name),
    };
    // `stage 2/5`, or only `2/5` in a file of one stage, or `stage-1 2/5` where it has no name.
    let stage = place.rsplit_once(' ').map(|(stage, _)| stage.trim()).filter(|stage| !is_number_of_stage(stage) && *stage != "internal");
    let stage = stage.map(|stage| stage.strip_prefix("step-").unwrap_or(stage).to_owned());
    let (verb, mut arguments) = text.split_once(' ').unwrap_or((text, ""));
    if !verb.bytes().all(|byte| byte.is_ascii_uppercase()) || verb.is_empty() {
        return Readable { stage, verb: String::new(), command: text.to_owned() };
    }
    let mut from = None;
    while let Some((option, rest)) = arguments.split_once(' ').filter(|(option, _)| option.starts_with("--")) {
        from = option.strip_prefix("--from=").or(from);
        arguments = rest.trim_start();
    }
    let command = match verb {
        "RUN" => serde_json::from_str(arguments).map_or_else(|_| arguments.to_owned(), command_in),
        "COPY" => copy_in(from, arguments),
        _ => arguments.to_owned(),
    };
    Readable { stage, verb: verb.to_owned(), command }
}

fn is_number_of_stage(stage: &str) -> bool {
    stage.strip_prefix("stage-").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What is copied. The engine shows a list without its quotes, and the folders in which we stage files mean nothing to anybody.
fn copy_in(from: Option<&str>, arguments: &str) -> String {
    let list = arguments.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let words = list.map_or_else(|| arguments.to_owned(), |list| list.replace('"', "").replace(',', " "));
    let words = match words.split_once(' ') {
        Some((staged, dest)) if ["inputs/", "layers/", "files/"].iter().any(|folder| staged.starts_with(folder)) => {
            format!("source files to {dest}")
        }
        _ => words,
    };
    match from {
        Some(step) => format!("{words} from {}", step.strip_prefix("step-").unwrap_or(step)),
        None => words,
    }
}

/// The command itself: without the variables before it and without the shells around it.
fn command_in(mut words: Vec<String>) -> String {
    if words.first().is_some_and(|word| word == "/usr/bin/env") {
        let variables = words[1..].iter().take_while(|word| word.split_once('=').is_some_and(|(name, _)| is_variable(name))).count();
        words.drain(..=variables);
    }
    // What reads the build variables and becomes the command after it.
    if let [shell, flag, script, name, ..] = &words[..]
        && (shell.as_str(), flag.as_str(), name.as_str()) == ("/bin/sh", "-c", "sh")
        && script.contains("/run/secrets/")
    {
        words.drain(..4);
    }
    match &words[..] {
        [shell, flag, line] if (shell.as_str(), flag.as_str()) == ("/bin/sh", "-c") => line.clone(),
        words => words.join(" "),
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Follows one build.
#[derive(Default)]
pub struct Progress {
    steps: HashMap<String, Step>,
    shown: u32,
    failed: Option<Vertex>,
    clipped: bool,
    /// Commands and copies that ended, and those of them that were taken from the cache.
    done: u32,
    unchanged: u32,
}

#[derive(Default)]
struct Step {
    /// 0 until it is shown.
    number: u32,
    ended: bool,
    /// Output without its line's end yet, of each stream.
    partial: HashMap<i64, Vec<u8>>,
}

impl Progress {
    /// The lines that `event` adds to the log.
    pub fn take(&mut self, event: BuildEvent) -> Vec<String> {
        match event {
            BuildEvent::Vertex(vertex) => self.vertex(vertex),
            BuildEvent::Log(log) => self.log(log),
        }
    }

    /// The step that failed.
    pub fn failed(&self) -> Option<&Vertex> {
        self.failed.as_ref()
    }

    /// Whether the engine itself dropped output.
    pub const fn is_clipped(&self) -> bool {
        self.clipped
    }

    /// Whether every command and every copy was taken from the cache. `None`: there was none.
    pub fn all_cached(&self) -> Option<bool> {
        (self.done > 0).then_some(self.unchanged == self.done)
    }

    fn vertex(&mut self, vertex: Vertex) -> Vec<String> {
        let mut lines = Vec::new();
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        if (vertex.started || vertex.cached) && step.number == 0 && !is_internal(&vertex.name) {
            self.shown += 1;
            step.number = self.shown;
            let name = readable(&vertex.name);
            let stage = name.stage.map(|stage| format!("{stage}: ")).unwrap_or_default();
            lines.push(format!("#{} {stage}{}", step.number, format!("{} {}", name.verb, name.command).trim()));
        }
        let ends = (vertex.took.is_some() || vertex.cached) && !step.ended;
        // A step that is called off because another failed has an error too, but not the one to show.
        let fails = !vertex.error.is_empty() && !vertex.error.contains("context canceled");
        if ends {
            step.ended = true;
            if step.number > 0 && ["RUN", "COPY", "ADD"].contains(&readable(&vertex.name).verb.as_str()) {
                self.done += 1;
                self.unchanged += u32::from(vertex.cached);
            }
            lines.extend(step.rest());
            let took = vertex.took.unwrap_or_default().as_secs_f32();
            match (vertex.cached, vertex.error.is_empty()) {
                _ if step.number == 0 => {}
                (true, _) => lines.push(format!("#{} unchanged, taken from the cache", step.number)),
                (false, true) => lines.push(format!("#{} done in {took:.1} s", step.number)),
                (false, false) if fails => lines.push(format!("#{} failed after {took:.1} s", step.number)),
                (false, false) => {}
            }
        }
        if fails && self.failed.is_none() {
            self.failed = Some(vertex);
        }
        lines
    }

    fn log(&mut self, log: VertexLog) -> Vec<String> {
        let step = self.steps.entry(log.vertex).or_default();
        let number = step.number;
        let partial = step.partial.entry(log.stream).or_default();
        let mut lines = Vec::new();
        for piece in log.bytes.split_inclusive(|byte| *byte == b'\n') {
            // Beyond that size the rest of a line is dropped: nothing that was half read is ever shown, so no secret either.
            partial.extend_from_slice(&piece[..piece.len().min(MAX_PARTIAL_BYTES.saturating_sub(partial.len()))]);
            if piece.ends_with(b"\n") {
                let line = String::from_utf8_lossy(partial).into_owned();
                partial.clear();
                self.clipped |= line.starts_with(CLIPPED);
                lines.push(format!("#{number} {}", line.trim_end_matches(['\n', '\r'])));
            }
        }
        lines
    }

    /// Output that never got its line's end.
    pub fn end(&mut self) -> Vec<String> {
        self.steps.values_mut().flat_map(Step::rest).collect()
    }
}

impl Step {
    fn rest(&mut self) -> Vec<String> {
        let number = self.number;
        let mut partial: Vec<_> = self.partial.drain().filter(|(_, bytes)| !bytes.is_empty()).collect();
        partial.sort();
        partial.into_iter().map(|(_, bytes)| format!("#{number} {}", String::from_utf8_lossy(&bytes))).collect()
    }
}

/// What the engine does to get ready, which says nothing about the app.
fn is_internal(name: &str) -> bool {
    name.starts_with("[internal] load ")
        || name.starts_with("copy /context")
        || name.starts_with("http://buildkit-session")
        || name.starts_with("[auth]")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn named(name: &str) -> String {
        let name = readable(name);
        format!("{}|{}|{}", name.stage.unwrap_or_default(), name.verb, name.command)
    }

    #[test]
    fn a_step_is_named_in_the_customers_words() {
        assert_eq!(
            named("[step-install 3/4] RUN --mount=type=cache,id=a,target=/b [\"/usr/bin/env\",\"A=1\",\"B=x y\",\"npm\",\"ci\"]"),
            "install|RUN|npm ci"
        );
        assert_eq!(
            named(
                r#"[step-b 2/2] RUN --mount=type=secret,id=K,required=true ["/bin/sh","-c","K=\"$(cat /run/secrets/K)\"; export K; exec \"$@\"","sh","/bin/sh","-c","npm run a && b"]"#
            ),
            "b|RUN|npm run a && b"
        );
        assert_eq!(named("[stage-1 2/5] COPY --from=step-build --chown=1000:1000 /app /app"), "|COPY|/app /app from build");
        assert_eq!(named("[2/5] COPY [inputs/a/0/,/app/]"), "|COPY|source files to /app/");
        assert_eq!(named("[2/5] COPY --chown=1:1 . /app"), "|COPY|. /app");
        assert_eq!(named("[1/2] FROM docker.io/library/node:22-slim"), "|FROM|docker.io/library/node:22-slim");
        assert_eq!(named("exporting to image"), "||exporting to image");
        assert_eq!(named("[build 2/2] RUN echo [a, b"), "build|RUN|echo [a, b");
        for odd in ["", "[", "[]", "[ ] ", "RUN", "RUN --mount=x", "[a b] ", "[é 1/2] RUN é"] {
            let _ = named(odd);
        }
    }

    fn vertex(digest: &str, name: &str) -> Vertex {
        Vertex { digest: digest.into(), name: name.into(), cached: false, started: true, took: None, error: String::new() }
    }

    fn log(vertex: &str, text: &str) -> BuildEvent {
        BuildEvent::Log(VertexLog { vertex: vertex.into(), stream: 1, bytes: text.into() })
    }

    #[test]
    fn output_in_pieces_becomes_whole_lines() {
        let mut progress = Progress::default();
        assert_eq!(progress.take(BuildEvent::Vertex(vertex("a", "[2/2] RUN x"))), ["#1 RUN x"]);
        assert_eq!(progress.take(log("a", "one\ntw")), ["#1 one"]);
        assert_eq!(progress.take(log("a", "o\nthree")), ["#1 two"]);
        let ended = Vertex { took: Some(Duration::from_millis(1500)), ..vertex("a", "[2/2] RUN x") };
        assert_eq!(progress.take(BuildEvent::Vertex(ended.clone())), ["#1 three", "#1 done in 1.5 s"]);
        assert!(progress.take(BuildEvent::Vertex(ended)).is_empty(), "told once");
        assert!(progress.end().is_empty());
    }

    #[test]
    fn a_build_is_from_the_cache_where_nothing_was_done() {
        let mut progress = Progress::default();
        let cached = |digest: &str, name: &str| BuildEvent::Vertex(Vertex { cached: true, started: false, ..vertex(digest, name) });
        progress.take(cached("a", "[internal] load build context"));
        progress.take(cached("b", "[1/3] FROM docker.io/library/node:22"));
        assert_eq!(progress.all_cached(), None, "neither a command nor a copy");
        progress.take(cached("c", "[2/3] RUN x"));
        assert_eq!(progress.all_cached(), Some(true));
        progress.take(BuildEvent::Vertex(Vertex { took: Some(Duration::ZERO), ..vertex("d", "[3/3] COPY . /app") }));
        assert_eq!(progress.all_cached(), Some(false));
    }

    #[test]
    fn an_endless_line_is_not_kept_whole() {
        let mut progress = Progress::default();
        progress.take(BuildEvent::Vertex(vertex("a", "[2/2] RUN x")));
        for _ in 0..100 {
            assert!(progress.take(log("a", &"x".repeat(10_000))).is_empty());
        }
        assert_eq!(progress.take(log("a", "\nnext\n"))[0].len(), "#1 ".len() + MAX_PARTIAL_BYTES);
    }

    #[test]
    fn the_step_that_failed_is_not_one_that_was_called_off() {
        let mut progress = Progress::default();
        let called_off = Vertex { error: "context canceled".into(), took: Some(Duration::ZERO), ..vertex("a", "[a 1/2] RUN a") };
        let failed = Vertex { error: "exit code: 1".into(), took: Some(Duration::ZERO), ..vertex("b", "[b 1/2] RUN b") };
        progress.take(BuildEvent::Vertex(called_off));
        assert_eq!(progress.take(BuildEvent::Vertex(failed)), ["#2 b: RUN b", "#2 failed after 0.0 s"]);
        assert_eq!(progress.failed().unwrap().digest, "b");
    }

    #[test]
    fn what_the_engine_does_for_itself_is_not_shown() {
        let mut progress = Progress::default();
        assert!(progress.take(BuildEvent::Vertex(vertex("a", "[internal] load build definition from Dockerfile"))).is_empty());
        let cached = Vertex { cached: true, started: false, ..vertex("b", "[2/2] RUN x") };
        assert_eq!(progress.take(BuildEvent::Vertex(cached)), ["#1 RUN x", "#1 unchanged, taken from the cache"]);
    }
}
