//! A process that outlives the agent, as the next agent finds it: pid, start time and the machine's run, because a pid alone may have
//! been given to another since.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use slipway_model::Sha256Digest;

use super::settings::Folders;
use crate::durable;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub pid: i32,
    /// In clock ticks since the machine started, as the kernel keeps it.
    started: u64,
    /// The machine's current run: start times begin anew with it.
    boot: String,
    /// What it was started with.
    pub settings: Sha256Digest,
}

impl Note {
    /// Of a process that runs.
    pub fn of(pid: i32, settings: Sha256Digest) -> Option<Self> {
        Some(Self { pid, started: start_time(pid)?, boot: boot()?, settings })
    }

    pub fn read(folders: &Folders) -> Option<Self> {
        serde_json::from_slice(&durable::read(folders.process()).ok()??).ok()
    }

    pub fn is_alive(&self) -> bool {
        boot().as_deref() == Some(self.boot.as_str()) && start_time(self.pid) == Some(self.started)
    }

    /// To the process of this note, if it still is that one.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            let _ = kill_process(pid, signal);
        }
    }

    pub async fn end(&self, grace: Duration) {
        for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, Duration::from_secs(5))] {
            let since = Instant::now();
            // Looked at again before each signal: the pid may be another's by now.
            self.signal(signal);
            while self.is_alive() && since.elapsed() < patience {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Processes of this program in this folder, their workers among them. A command line would not do: nginx writes its own there.
pub(super) fn running(binary: &Path, folder: &Path) -> Vec<Note> {
    let (Ok(binary), Ok(folder)) = (binary.canonicalize(), folder.canonicalize()) else { return Vec::new() };
    let leads_to = |link: String, path: &Path| fs::read_link(link).is_ok_and(|leads| leads == path);
    let ours = |pid: &i32| leads_to(format!("/proc/{pid}/exe"), &binary) && leads_to(format!("/proc/{pid}/cwd"), &folder);
    pids().filter(ours).filter_map(|pid| Note::of(pid, Sha256Digest::of(b""))).collect()
}

/// Processes with this argument on their command line.
pub(super) fn with_argument(argument: &str) -> Vec<Note> {
    let ours = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    };
    pids().filter(ours).filter_map(|pid| Note::of(pid, Sha256Digest::of(b""))).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The kernel's start time of a process that is not a zombie.
fn start_time(pid: i32) -> Option<u64> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(stat: &str) -> Option<u64> {
    // The name, in parentheses, may contain anything; fields are counted from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    fields.nth(18)?.parse().ok()
}

fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_time_is_found_behind_any_name_and_a_zombie_has_none() {
        let stat = "12 (a) S b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        assert_eq!(parse_stat(stat), Some(4711));
        assert_eq!(parse_stat(&stat.replace(") S 1", ") Z 1")), None);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(start_time(own).is_some_and(|started| started > 0));
    }
}
