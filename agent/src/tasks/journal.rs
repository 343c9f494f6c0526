//! Tasks on the disk: what was asked, what happened that the core has not stored yet, and what came of those that are over.
//!
//! A folder for each task: `task.json`, `events.jsonl` (appended, synced before an event is sent, so that a sequence number never
//! stands for two events) and `acked`. Beside them `done/`: the last word on tasks that are over, for duplicates that come late.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use slipway_model::TaskId;
use slipway_protocol::{Task, TaskEvent};

use crate::durable;

/// Tasks that are over and still remembered.
const REMEMBERED: usize = 1000;

#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
}

/// A task as the last process left it.
#[derive(Debug)]
pub struct Unfinished {
    pub task: Task,
    pub acked: u64,
    /// Not acknowledged, in order.
    pub events: Vec<TaskEvent>,
}

/// The last word on a task that is over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Epitaph {
    /// The highest sequence number that was used.
    pub sequence: u64,
    /// `None` if the core did not want it any more.
    pub finished: Option<TaskEvent>,
}

impl Journal {
    /// # Errors
    /// The folder cannot be made.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let journal = Self { folder: data_dir.join("tasks") };
        durable::private_folder(&journal.done())?;
        Ok(journal)
    }

    fn done(&self) -> PathBuf {
        self.folder.join("done")
    }

    fn of(&self, task: TaskId) -> PathBuf {
        self.folder.join(task.to_string())
    }

    /// # Errors
    /// Those of the file system.
    pub fn begin(&self, task: &Task) -> io::Result<()> {
        let folder = self.of(task.id);
        durable::private_folder(&folder)?;
        durable::write(&folder.join("task.json"), &serde_json::to_vec(task)?)?;
        durable::sync_parent(&folder)
    }

    /// Durable when this returns.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn append(&self, task: TaskId, events: &[TaskEvent]) -> io::Result<()> {
        let mut text = Vec::new();
        for event in events {
            serde_json::to_writer(&mut text, event)?;
            text.push(b'\n');
        }
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.of(task).join("events.jsonl"))?;
        file.write_all(&text)?;
        file.sync_data()
    }

    /// Need not be durable: what is sent again is recognized by its number.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn acked(&self, task: TaskId, sequence: u64) -> io::Result<()> {
        let path = self.of(task).join("acked");
        let aside = path.with_extension("new");
        fs::write(&aside, sequence.to_string())?;
        fs::rename(aside, path)
    }

    /// Leaves the last word and removes the rest.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn bury(&self, task: TaskId, epitaph: &Epitaph) -> io::Result<()> {
        durable::write(&self.done().join(format!("{task}.json")), &serde_json::to_vec(epitaph)?)?;
        match fs::remove_dir_all(self.of(task)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub fn epitaph(&self, task: TaskId) -> Option<Epitaph> {
        serde_json::from_slice(&durable::read(&self.done().join(format!("{task}.json"))).ok()??).ok()
    }

    /// What the last process left unfinished; forgets the oldest of what is over.
    ///
    /// # Errors
    /// Those of the file system. A task that cannot be read is skipped, loudly.
    pub fn load(&self) -> io::Result<Vec<Unfinished>> {
        self.forget_oldest()?;
        let mut unfinished = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let Some(id) = path.file_name().and_then(|name| name.to_str()?.parse::<TaskId>().ok()) else { continue };
            match self.read(id) {
                Ok(task) => unfinished.push(task),
                Err(error) => {
                    // Begun, but not whole: the core sends it again.
                    tracing::warn!(task = %id, %error, "dropped a task whose journal cannot be read");
                    fs::remove_dir_all(&path)?;
                }
            }
        }
        unfinished.sort_by_key(|unfinished| unfinished.task.id);
        Ok(unfinished)
    }

    fn read(&self, id: TaskId) -> io::Result<Unfinished> {
        let folder = self.of(id);
        let task: Task = serde_json::from_slice(&fs::read(folder.join("task.json"))?)?;
        let acked = durable::read(&folder.join("acked"))?.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()).unwrap_or(0);
        let path = folder.join("events.jsonl");
        let mut events: Vec<TaskEvent> = Vec::new();
        if let Ok(file) = File::open(&path) {
            let mut whole = 0_u64;
            let mut reader = BufReader::new(file);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 {
                // The last line may have been cut off by a crash: it was never sent.
                let Ok(event) = serde_json::from_slice(&line) else { break };
                if !line.ends_with(b"\n") {
                    break;
                }
                events.push(event);
                whole += u64::try_from(line.len()).unwrap_or(u64::MAX);
                line.clear();
            }
            OpenOptions::new().write(true).open(&path)?.set_len(whole)?;
        }
        let last = events.last().map_or(acked, |event| event.sequence.max(acked));
        events.retain(|event| event.sequence > acked);
        let acked = if events.is_empty() { last } else { acked };
        Ok(Unfinished { task, acked, events })
    }

    fn forget_oldest(&self) -> io::Result<()> {
        // Task ids sort by time.
        let mut names: Vec<_> = fs::read_dir(self.done())?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        names.sort();
        let excess = names.len().saturating_sub(REMEMBERED);
        for name in names.into_iter().take(excess) {
            fs::remove_file(self.done().join(name))?;
        }
        Ok(())
    }
}
