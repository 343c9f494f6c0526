//! How bad a line of a log is, as far as the line itself says so.
//!
//! Nothing is written down for it: programs say it in a few customary ways, and those are read here. Where a line says nothing, nothing
//! is known of it: what comes by standard error is most often no error.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::state::LogSeverity;

/// How far into a line it is looked, in bytes, and over how many words.
const DEPTH: usize = 1024;
const WORDS: usize = 10;

/// What lines begin with that do not name a level in so many words.
const BEGINNINGS: [(&str, LogSeverity); 9] = [
    ("PHP Fatal error:", LogSeverity::Error),
    ("PHP Parse error:", LogSeverity::Error),
    ("PHP Warning:", LogSeverity::Warn),
    ("PHP Deprecated:", LogSeverity::Warn),
    ("PHP Notice:", LogSeverity::Info),
    ("npm ERR!", LogSeverity::Error),
    ("npm error ", LogSeverity::Error),
    ("npm warn ", LogSeverity::Warn),
    ("Traceback (most recent call last):", LogSeverity::Error),
];

impl LogSeverity {
    /// What a line says of itself: in JSON, as pairs of a key and a value, or with a word at its beginning.
    #[must_use]
    pub fn of(line: &str) -> Option<Self> {
        let line = line.trim_start();
        if line.starts_with('{') {
            return of_json(line);
        }
        let beginning = &line[..line.floor_char_boundary(DEPTH)];
        let plain = without_colors(beginning);
        let text = plain.trim_start();
        of_klog(text).or_else(|| of_words(text))
    }
}

/// A word for a level, however it is written.
fn named(word: &str) -> Option<LogSeverity> {
    const NAMES: [(LogSeverity, &[&str]); 4] = [
        (LogSeverity::Debug, &["trace", "debug", "dbug", "dbg", "verbose"]),
        (LogSeverity::Info, &["info", "information", "informational", "notice"]),
        (LogSeverity::Warn, &["warn", "warning"]),
        (LogSeverity::Error, &["error", "err", "fatal", "critical", "crit", "severe", "alert", "emergency", "emerg", "panic"]),
    ];
    let is = |name: &&str| name.eq_ignore_ascii_case(word);
    NAMES.iter().find(|(_, names)| names.iter().any(is)).map(|(severity, _)| *severity)
}

/// Numbers as pino and bunyan have them, in tens, and monolog, in hundreds.
fn numbered(level: u64) -> Option<LogSeverity> {
    match level {
        10..=29 | 100..=199 => Some(LogSeverity::Debug),
        30..=39 | 200..=299 => Some(LogSeverity::Info),
        40..=49 | 300..=399 => Some(LogSeverity::Warn),
        50..=99 | 400..=999 => Some(LogSeverity::Error),
        _ => None,
    }
}

fn valued(value: &str) -> Option<LogSeverity> {
    named(value).or_else(|| numbered(value.parse().ok()?))
}

fn is_key(key: &str) -> bool {
    const KEYS: [&str; 11] = [
        "level",
        "severity",
        "lvl",
        "levelname",
        "level_name",
        "loglevel",
        "log_level",
        "log.level",
        "severitytext",
        "severity_text",
        "@l",
    ];
    KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// The level in an object, or in the object `log` within it. One that was cut off is read as far as it goes.
fn of_json(line: &str) -> Option<LogSeverity> {
    let mut found = None;
    let _ = Labels { found: &mut found, is_nested: false }.deserialize(&mut serde_json::Deserializer::from_str(line));
    found
}

struct Labels<'a> {
    found: &'a mut Option<LogSeverity>,
    is_nested: bool,
}

impl<'de> DeserializeSeed<'de> for Labels<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Labels<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while self.found.is_none() {
            let Some(key) = map.next_key::<Cow<'de, str>>()? else { return Ok(()) };
            if is_key(&key) {
                *self.found = match map.next_value()? {
                    serde_json::Value::String(level) => valued(&level),
                    serde_json::Value::Number(level) => level.as_u64().and_then(numbered),
                    _ => None,
                };
            } else if key == "log" && !self.is_nested {
                map.next_value_seed(Labels { found: &mut *self.found, is_nested: true })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    // What `log` may be instead of an object.
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The escape sequences that terminals take for colors do not belong to words.
fn without_colors(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // Of one that was cut off nothing is left.
        plain.push_str(piece.split_once(|c: char| ('@'..='~').contains(&c)).map_or("", |(_, rest)| rest));
    }
    Cow::Owned(plain)
}

/// `E0102 15:04:05.678901 …`: the letter of the level, the month and the day.
fn of_klog(text: &str) -> Option<LogSeverity> {
    let severity = match text.chars().next()? {
        'I' => LogSeverity::Info,
        'W' => LogSeverity::Warn,
        'E' | 'F' => LogSeverity::Error,
        _ => return None,
    };
    let day = text.get(1..5)?;
    (day.bytes().all(|byte| byte.is_ascii_digit()) && text[5..].starts_with(' ')).then_some(severity)
}

/// A level stands before the message: behind times, numbers, what is in brackets, and names that a dash or a bar follows.
fn of_words(text: &str) -> Option<LogSeverity> {
    let mut rest = text;
    for _ in 0..WORDS {
        rest = rest.trim_start();
        let beginning = BEGINNINGS.iter().find(|(beginning, _)| rest.starts_with(beginning));
        if let Some((_, severity)) = beginning {
            return Some(*severity);
        }
        if let Some((within, behind)) = bracketed(rest) {
            if let Some(severity) = of_brackets(within) {
                return Some(severity);
            }
            rest = behind.strip_prefix(':').unwrap_or(behind);
            continue;
        }
        if let Some((key, value, behind)) = pair(rest) {
            if is_key(key) {
                return valued(value);
            }
            rest = behind;
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() {
            return None;
        }
        let is_before_message = is_separated(behind);
        if let Some(severity) = of_word(word, is_before_message) {
            return Some(severity);
        }
        if !(is_before_message || is_beside_the_message(word)) {
            return None;
        }
        rest = behind;
    }
    None
}

/// `ERROR`, `error:`, `error - `, `app.ERROR:`, `ERROR:root:…`, `ValueError:`. A small `error` alone is a word of a sentence.
fn of_word(word: &str, is_before_message: bool) -> Option<LogSeverity> {
    let (name, is_labelled) = word.split_once(':').map_or((word, false), |(name, _)| (name, true));
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_upper = last.len() > 2 && last.bytes().all(|byte| byte.is_ascii_uppercase());
    let may_be_level = is_upper || (last.len() == name.len() && (is_labelled || is_before_message));
    if may_be_level && let Some(severity) = named(last) {
        return Some(severity);
    }
    if !word.ends_with(':') || !last.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    match last {
        _ if last.ends_with("Error") || last.ends_with("Exception") => Some(LogSeverity::Error),
        _ if last.ends_with("Warning") => Some(LogSeverity::Warn),
        _ => None,
    }
}

/// `[error]`, `[php:error]`, `[2026-01-02T03:04:05Z ERROR app]`, `[2026-01-02 03:04:05,678: INFO/Main]`.
fn of_brackets(within: &str) -> Option<LogSeverity> {
    let within = within.trim();
    let last = within.rsplit(':').next().unwrap_or(within).trim();
    named(last).or_else(|| {
        let mut words = within.split(|c: char| !c.is_ascii_alphanumeric());
        words.find_map(|word| named(word).filter(|_| word.bytes().all(|byte| byte.is_ascii_uppercase())))
    })
}

fn bracketed(text: &str) -> Option<(&str, &str)> {
    let close = match text.chars().next()? {
        '[' => ']',
        '(' => ')',
        '<' => '>',
        _ => return None,
    };
    text[1..].split_once(close)
}

/// `key=value` or `key="a value"`, and what follows it.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.@".contains(c)))?;
    let (key, rest) = text.split_at(end);
    let value = rest.strip_prefix('=').filter(|_| !key.is_empty())?;
    if let Some(quoted) = value.strip_prefix('"') {
        let mut is_escaped = false;
        let close = quoted.find(|c: char| {
            let closes = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            closes
        });
        let close = close.unwrap_or(quoted.len());
        return Some((key, &quoted[..close], quoted.get(close + 1..).unwrap_or_default()));
    }
    let end = value.find(char::is_whitespace).unwrap_or(value.len());
    Some((key, &value[..end], &value[end..]))
}

fn is_separated(behind: &str) -> bool {
    let rest = behind.trim_start();
    rest.len() < behind.len() && (rest.starts_with("- ") || rest.starts_with("| ") || rest.starts_with("--"))
}

/// Times, dates, numbers, addresses, marks, and the single letter that Ruby begins with.
fn is_beside_the_message(word: &str) -> bool {
    const DATES: [&str; 24] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat",
        "Sun", "UTC", "GMT", "AM", "PM", "CET",
    ];
    let word = word.trim_end_matches([',', ':']);
    let is_mark = !word.contains(|c: char| c.is_alphanumeric());
    is_mark || word.len() == 1 || word.starts_with(|c: char| c.is_ascii_digit() || c == '+') || DATES.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn all(severity: Option<LogSeverity>, lines: &[&str]) {
        for line in lines {
            assert_eq!(LogSeverity::of(line), severity, "{line}");
        }
    }

    #[test]
    fn json_says_it_by_its_name_or_number() {
        all(
            Some(LogSeverity::Error),
            &[
                r#"{"level":"error","msg":"x"}"#,
                r#"{"level":50,"time":1,"msg":"pino"}"#,
                r#"{"level":60,"msg":"pino, fatal"}"#,
                r#"{"time":"2026","severity":"CRITICAL","message":"as Google has it"}"#,
                r#"{"message":"x","context":{"level":"debug"},"level":400,"level_name":"ERROR","channel":"monolog"}"#,
                r#"{"log":{"level":"ERROR"},"message":"x"}"#,
                r#"{"log.level":"error","message":"ECS"}"#,
                r#"{"@t":"2026","@l":"Fatal","@mt":"Serilog"}"#,
                r#"  {"Level":"Error","Message":"written in large letters"}"#,
                r#"{"level":"error","msg":"cut off in the mid"#,
            ],
        );
        all(Some(LogSeverity::Warn), &[r#"{"level":40,"msg":"x"}"#, r#"{"msg":"error","lvl":"warning"}"#, r#"{"level":"40"}"#]);
        all(Some(LogSeverity::Info), &[r#"{"level":30}"#, r#"{"level_name":"NOTICE"}"#, r#"{"log":"a text","LogLevel":"Information"}"#]);
        all(Some(LogSeverity::Debug), &[r#"{"level":20}"#, r#"{"level":10}"#, r#"{"level":"trace"}"#]);
        let silent =
            [r#"{"msg":"error"}"#, r#"{"level":3}"#, r#"{"level":{"of":"error"}}"#, r#"{"level":"lobby"}"#, "{", r#"{"level":-50}"#];
        all(None, &silent);
    }

    #[test]
    fn pairs_say_it_by_their_key() {
        all(
            Some(LogSeverity::Error),
            &[
                "level=error msg=x",
                r#"time="2026-01-02T03:04:05Z" level=fatal msg="it broke""#,
                r#"time=2026-01-02T03:04:05Z level=ERROR msg="as Go's slog has it""#,
                r#"2026/01/02 03:04:05 caller=main.go:7 msg="a \" level=info \" in quotes" lvl=error"#,
            ],
        );
        all(Some(LogSeverity::Info), &["ts=1 severity=INFO", r#"level="info" msg="error: none""#]);
        all(None, &["set level=error for more", r#"msg="level=error""#, "a=b c=d"]);
    }

    #[test]
    fn words_at_the_beginning_say_it() {
        all(
            Some(LogSeverity::Error),
            &[
                "[ERROR] it broke",
                "[error] it broke",
                "ERROR: it broke",
                "error: it broke",
                "ERROR it broke",
                "FATAL ERROR: Reached heap limit",
                "ERROR:root:as Python's logging has it",
                "2026-01-02T03:04:05.678901Z ERROR app::web: it broke",
                "\u{1b}[2m2026-01-02T03:04:05Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m \u{1b}[2mapp\u{1b}[0m: in colors",
                "2026-01-02 03:04:05,678 - app.web - ERROR - it broke",
                "[2026-01-02 03:04:05 +0000] [7] [ERROR] as gunicorn has it",
                "[2026-01-02T03:04:05Z ERROR app] as env_logger has it",
                "[2026-01-02T03:04:05.6+00:00] app.ERROR: as monolog has it {} []",
                "[2026-01-02 03:04:05,678: ERROR/MainProcess] as celery has it",
                "2026/01/02 03:04:05 [error] 29#29: *1 open() failed",
                "[Fri Jan 02 03:04:05.6 2026] [php:error] [pid 17] as Apache has it",
                "2026-01-02 03:04:05.678 ERROR 1 --- [main] c.e.App : as Spring has it",
                "03:04:05.678 [main] ERROR com.example.App - as logback has it",
                "E, [2026-01-02T03:04:05.678 #1] ERROR -- : as Ruby has it",
                "E0102 15:04:05.678901       1 main.go:7] as klog has it",
                "F0102 15:04:05.678901       1 main.go:7] it ended",
                "PHP Fatal error:  Uncaught Exception in /app/index.php:3",
                "npm ERR! missing script: start",
                "Traceback (most recent call last):",
                "TypeError: x is not a function",
                "Error: Cannot find module 'express'",
                "django.db.utils.OperationalError: no such table",
                "panic: runtime error: index out of range",
                " ⨯ Error: in Next",
            ],
        );
        all(
            Some(LogSeverity::Warn),
            &[
                "WARN: low on memory",
                "[WARNING] low on memory",
                "W0102 15:04:05.678901       1 main.go:7] low on memory",
                "(node:12) [DEP0040] DeprecationWarning: The `punycode` module is deprecated.",
                "warn  - as Next has it",
                "[02-Jan-2026 03:04:05] WARNING: as php-fpm has it",
                "2026-01-02 03:04:05 | WARN | app | with bars",
                "PHP Deprecated:  Function each()",
            ],
        );
        all(
            Some(LogSeverity::Info),
            &[
                "INFO:     Started server process [1]",
                "info: listening",
                "[02-Jan-2026 03:04:05] NOTICE: fpm is running, pid 1",
                "12:00 notice: x",
            ],
        );
        all(Some(LogSeverity::Debug), &["DEBUG x", "[trace] x", "Jan  2 03:04:05 debug: x"]);
    }

    #[test]
    fn what_only_speaks_of_errors_says_nothing() {
        all(
            None,
            &[
                "",
                "   ",
                "listening on 0.0.0.0:3000",
                "no errors found: all is well",
                "error handling is important",
                "Loading ErrorHandler: done",
                "10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] \"GET /error HTTP/1.1\" 500 12",
                "GET /warn 200",
                "I0102x is no klog",
                "Info about the error",
                "    at Object.<anonymous> (/app/index.js:3:7)",
                "[",
                "[vite] connected",
                "ä",
                "E010",
                "\u{1b}[",
            ],
        );
    }

    #[test]
    fn a_long_line_is_looked_into_only_so_far() {
        let far = format!("{}ERROR it broke", "1 ".repeat(WORDS));
        assert_eq!(LogSeverity::of(&far), None);
        let many_bytes = format!("ERROR {}", "ä".repeat(DEPTH));
        assert_eq!(LogSeverity::of(&many_bytes), Some(LogSeverity::Error));
    }

    #[test]
    fn they_stand_in_order() {
        assert!(LogSeverity::ALL.is_sorted());
        assert!(LogSeverity::Error > LogSeverity::Warn);
    }
}
