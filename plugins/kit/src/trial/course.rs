//! One check after the other, told as they begin and as they end: whoever listens knows which one ended the process.

use serde::{Deserialize, Serialize};

use super::{About, Check, Verdict, report::judged};

/// What is told while a trial runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A check begins. Without its end, the plugin ended the process.
    Begun {
        /// What it is about.
        about: About,
        /// Its name.
        name: String,
        /// The others build on it, so that every process does it.
        #[serde(default)]
        foundation: bool,
    },
    /// The check that began last has ended.
    Ended(Check),
    /// A call hangs. The rest is to be tried in another process, since this one is no longer at rest.
    Again,
    /// That was all.
    Done,
}

/// Why the checks do not go on.
pub(super) enum Stop {
    Unloadable,
    Again,
}

pub(super) struct Course<'a> {
    /// So many checks have been told of by another process.
    from: usize,
    at: usize,
    current: (About, String),
    tell: &'a mut dyn FnMut(Event),
}

impl<'a> Course<'a> {
    pub fn new(from: usize, tell: &'a mut dyn FnMut(Event)) -> Self {
        Self { from, at: 0, current: (About::Plugin, String::new()), tell }
    }

    /// A check that every process does, since the others build on it. It gives what they need.
    pub async fn foundation<T>(&mut self, about: About, name: &str, check: impl Future<Output = (T, Verdict)>) -> Result<T, Stop> {
        self.begin(about, name, true);
        let (made, verdict) = check.await;
        self.ended(verdict)?;
        Ok(made)
    }

    /// A check that is passed over where another process has done it.
    pub async fn step(&mut self, about: About, name: &str, check: impl Future<Output = Verdict>) -> Result<(), Stop> {
        if self.at < self.from {
            self.at += 1;
            return Ok(());
        }
        self.begin(about, name, false);
        let verdict = check.await;
        self.ended(verdict)
    }

    fn begin(&mut self, about: About, name: &str, foundation: bool) {
        self.current = (about, name.to_owned());
        (self.tell)(Event::Begun { about, name: name.to_owned(), foundation });
    }

    fn ended(&mut self, verdict: Verdict) -> Result<(), Stop> {
        let hangs = verdict.as_ref().is_err_and(|fault| fault.hangs);
        let is_told = self.at >= self.from;
        if is_told {
            (self.tell)(Event::Ended(judged(self.current.0, &self.current.1, verdict)));
        }
        self.at += 1;
        // What another process has told of already is not begun again for it.
        if hangs && is_told { Err(Stop::Again) } else { Ok(()) }
    }
}
