//! Who reads what a node's instances write, and what waits for them: bounded for each reader, and for all of them together. What does
//! not fit is left out, counted, and told with the next batch that does. Whoever has taken everything always gets the next batch: those
//! who do not read cost those who do nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use slipway_protocol::{LogBatch, LogQueryId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Batches that may wait for one reader.
const BATCHES: usize = 64;
/// KiB that may wait for one reader; and for all readers of this process, beside the first batch of each.
const ROOM_OF_ONE: u32 = 2 * 1024;
const ROOM_OF_ALL: usize = 64 * 1024;
/// What a line takes beside its text.
const LINE_BYTES: usize = 100;

/// The memory that waiting lines may take, in KiB.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_OF_ALL)))
    }
}

type Place = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// A batch in its place. The place is free again when the batch is taken out, or its reader is gone.
#[derive(Debug)]
struct Waiting {
    batch: LogBatch,
    _place: Place,
}

#[derive(Debug)]
struct Reader {
    to: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    /// Lines that were left out since the last batch that fitted.
    dropped_lines: u64,
}

/// The readers of one session.
#[derive(Debug)]
pub(super) struct Readers {
    room: Room,
    open: Mutex<HashMap<LogQueryId, Reader>>,
}

/// What arrives for one reader.
#[derive(Debug)]
pub(super) struct Batches(mpsc::Receiver<Waiting>);

impl Batches {
    /// `None`: nothing more comes.
    pub(super) async fn next(&mut self) -> Option<LogBatch> {
        self.0.recv().await.map(|waiting| waiting.batch)
    }
}

impl Readers {
    pub(super) fn new(room: Room) -> Self {
        Self { room, open: Mutex::default() }
    }

    pub(super) fn open(&self, query: LogQueryId) -> Batches {
        let (to, batches) = mpsc::channel(BATCHES);
        let room = Arc::new(Semaphore::new(ROOM_OF_ONE as usize));
        self.lock().insert(query, Reader { to, room, dropped_lines: 0 });
        Batches(batches)
    }

    /// Whether it was open.
    pub(super) fn close(&self, query: LogQueryId) -> bool {
        self.lock().remove(&query).is_some()
    }

    pub(super) fn close_all(&self) {
        self.lock().clear();
    }

    /// Hands lines to whoever asked for them; never waits.
    pub(super) fn deliver(&self, mut batch: LogBatch) {
        let mut open = self.lock();
        let Some(reader) = open.get_mut(&batch.query) else { return };
        let (query, is_last, lines, told) = (batch.query, batch.end, batch.lines.len() as u64, batch.dropped_lines);
        batch.dropped_lines += reader.dropped_lines;
        match reader.place(&self.room, &batch).and_then(|place| reader.to.try_send(Waiting { batch, _place: place }).ok()) {
            Some(()) => reader.dropped_lines = 0,
            None => reader.dropped_lines += told + lines,
        }
        if is_last {
            open.remove(&query);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LogQueryId, Reader>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn place(&self, all: &Room, batch: &LogBatch) -> Option<Place> {
        let bytes: usize = batch.lines.iter().map(|line| line.message.len() + LINE_BYTES).sum();
        // One that is larger than all there may be has all of it.
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(ROOM_OF_ONE).min(ROOM_OF_ONE);
        let is_first = self.room.available_permits() == ROOM_OF_ONE as usize;
        let own = Arc::clone(&self.room).try_acquire_many_owned(kib).ok()?;
        let shared = if is_first { None } else { Some(Arc::clone(&all.0).try_acquire_many_owned(kib).ok()?) };
        Some((own, shared))
    }
}

#[cfg(test)]
mod tests {
    use slipway_model::{InstanceId, Timestamp, state::LogStream};
    use slipway_protocol::LogLine;
    use uuid::Uuid;

    use super::*;

    /// One line of so many KiB, nearly.
    fn batch(query: LogQueryId, kib: usize) -> LogBatch {
        let line = LogLine {
            instance: InstanceId::from_uuid(Uuid::nil()),
            at: Timestamp::UNIX_EPOCH,
            stream: LogStream::Stdout,
            message: "x".repeat(kib * 1024 - LINE_BYTES - 1),
            truncated: false,
        };
        LogBatch { query, lines: vec![line], dropped_lines: 0, live: false, end: false }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_left_out_and_told_with_what_does() {
        let readers = Readers::new(Room::default());
        let mut batches = readers.open(1);
        for _ in 0..5 {
            readers.deliver(batch(1, 512));
        }
        for _ in 0..4 {
            assert_eq!(batches.next().await.unwrap().dropped_lines, 0);
        }
        readers.deliver(batch(1, 512));
        assert_eq!(batches.next().await.unwrap().dropped_lines, 1);
        readers.deliver(LogBatch { end: true, ..batch(1, 1) });
        assert_eq!(batches.next().await.unwrap().dropped_lines, 0);
        assert!(batches.next().await.is_none());
    }

    #[tokio::test]
    async fn who_does_not_read_takes_a_bounded_part_and_costs_who_reads_nothing() {
        let room = Room::default();
        let readers = Readers::new(room.clone());
        let mut open: Vec<Batches> = (0..100).map(|query| readers.open(query)).collect();
        for query in 0..100 {
            for _ in 0..8 {
                readers.deliver(batch(query, 512));
            }
        }
        let waiting: usize = open.iter().map(|batches| batches.0.len()).sum();
        assert_eq!(waiting, 100 + ROOM_OF_ALL / 512);
        // One who reads is served, however full it is.
        let mut reads = open.pop().unwrap();
        for _ in 0..50 {
            assert_eq!(reads.next().await.unwrap().lines.len(), 1);
            readers.deliver(batch(99, 512));
        }
        drop((open, reads));
        readers.close_all();
        assert_eq!(room.0.available_permits(), ROOM_OF_ALL);
    }
}
