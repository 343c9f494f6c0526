//! What the agent keeps across restarts: the desired state it was given last, what it remembers of instances, and a counter.
//!
//! Invariant: the desired state is on the disk before anything is done about it, and never goes back to a lower generation.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slipway_protocol::DesiredState;
use tokio::sync::watch;

use crate::durable;
use crate::reconcile::Memory;

#[derive(Debug, thiserror::Error)]
#[error("cannot keep the agent's record in {path}: {source}")]
pub struct RecordError {
    path: PathBuf,
    source: io::Error,
}

/// `None` until the core has said what it wants for the first time: until then nothing is touched.
pub type Desired = Option<Arc<DesiredState>>;

pub struct Record {
    folder: PathBuf,
    desired: watch::Sender<Desired>,
}

impl Record {
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(data_dir: &Path) -> Result<Self, RecordError> {
        let folder = data_dir.join("record");
        durable::private_folder(&folder).map_err(|source| RecordError { path: folder.clone(), source })?;
        let record = Self { folder, desired: watch::Sender::new(None) };
        let desired: Desired = record.load::<DesiredState>("desired.json")?.map(Arc::new);
        record.desired.send_replace(desired);
        Ok(record)
    }

    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Desired> {
        self.desired.subscribe()
    }

    /// Of the desired state; 0 if there is none.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.desired.borrow().as_ref().map_or(0, |desired| desired.generation)
    }

    /// Keeps `desired` if its generation is higher, then lets it take effect.
    ///
    /// # Errors
    /// It cannot be written; the former one stays in effect.
    pub fn accept(&self, desired: DesiredState) -> Result<bool, RecordError> {
        let current = self.desired.borrow().as_ref().map(|current| current.generation);
        if current.is_some_and(|current| desired.generation <= current) {
            return Ok(false);
        }
        self.store("desired.json", &desired)?;
        self.desired.send_replace(Some(Arc::new(desired)));
        Ok(true)
    }

    /// # Errors
    /// The file cannot be read.
    pub fn memory(&self) -> Result<Memory, RecordError> {
        Ok(self.load("instances.json")?.unwrap_or_default())
    }

    /// # Errors
    /// The file cannot be written.
    pub fn keep_memory(&self, memory: &Memory) -> Result<(), RecordError> {
        self.store("instances.json", memory)
    }

    /// A block of numbers that no earlier process of this agent has used.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn reserve_sequence(&self, size: u64) -> Result<std::ops::Range<u64>, RecordError> {
        let start = self.load::<u64>("sequence.json")?.unwrap_or(0) + 1;
        self.store("sequence.json", &(start + size))?;
        Ok(start..start + size)
    }

    /// A damaged file is set aside: the core says again what it wants, and nothing is touched until then.
    fn load<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, RecordError> {
        let path = self.folder.join(name);
        let failed = |source| RecordError { path: path.clone(), source };
        let Some(bytes) = durable::read(&path).map_err(failed)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let aside = path.with_extension("damaged");
                tracing::error!(%error, kept = %aside.display(), "a file of the agent's record is damaged and was set aside");
                std::fs::rename(&path, &aside).map_err(failed)?;
                Ok(None)
            }
        }
    }

    fn store(&self, name: &str, value: &impl serde::Serialize) -> Result<(), RecordError> {
        let path = self.folder.join(name);
        let written = serde_json::to_vec(value).map_err(io::Error::from).and_then(|bytes| durable::write(&path, &bytes));
        written.map_err(|source| RecordError { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(generation: u64) -> DesiredState {
        DesiredState { generation, ..DesiredState::default() }
    }

    #[test]
    fn only_a_higher_generation_takes_effect_and_it_survives() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record::open(folder.path()).unwrap();
        assert!(record.watch().borrow().is_none());
        assert!(record.accept(state(4)).unwrap());
        assert!(!record.accept(state(4)).unwrap() && !record.accept(state(3)).unwrap());
        assert_eq!(Record::open(folder.path()).unwrap().generation(), 4);
    }

    #[test]
    fn a_damaged_record_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        Record::open(folder.path()).unwrap().accept(state(4)).unwrap();
        std::fs::write(folder.path().join("record/desired.json"), b"{\"gen").unwrap();
        let record = Record::open(folder.path()).unwrap();
        assert!(record.watch().borrow().is_none());
        assert!(record.accept(state(5)).unwrap());
    }

    #[test]
    fn numbers_are_never_used_twice() {
        let folder = tempfile::tempdir().unwrap();
        let first = Record::open(folder.path()).unwrap().reserve_sequence(10).unwrap();
        let second = Record::open(folder.path()).unwrap().reserve_sequence(10).unwrap();
        assert!(second.start >= first.end && first.start >= 1);
    }
}
