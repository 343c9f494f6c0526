//! The new lines of an application, read from its nodes once for all who follow it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use slipway_model::ApplicationId;
use slipway_protocol::LineFilter;
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};

use super::{BATCHES, Lines, LogRequest, reading::Reading};
use crate::Platform;

/// Batches that are kept for those who are late: each of at most 256 lines.
pub(super) const KEPT: usize = 64;
/// A node that does not tell that its lines are live by then is taken to be: those before this message existed never do.
const LIVE_WITHIN: Duration = Duration::from_secs(2);

/// The applications that somebody follows.
#[derive(Debug, Default)]
pub struct Feeds(Mutex<HashMap<ApplicationId, Weak<Feed>>>);

/// Ends with the last who follows it.
#[derive(Debug)]
pub(super) struct Feed {
    channel: Arc<Channel>,
    live: watch::Receiver<bool>,
    /// Reads.
    _reading: JoinSet<()>,
}

/// A batch, and how many lines there were before it.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) before: u64,
    pub(super) batch: Lines,
}

impl Numbered {
    /// Lines that there were with it, lost ones too.
    pub(super) fn after(&self) -> u64 {
        self.before + self.batch.dropped_lines + self.batch.lines.len() as u64
    }
}

#[derive(Debug)]
struct Channel {
    sender: broadcast::Sender<Arc<Numbered>>,
    /// Lines that were sent, and lost before they could be.
    lines: Mutex<u64>,
}

impl Feeds {
    /// Joins those who follow the application, or begins.
    pub(super) fn join(&self, p: &Platform, application: ApplicationId) -> Arc<Feed> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(&application).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::begin(p, application));
        feeds.insert(application, Arc::downgrade(&feed));
        feed
    }
}

impl Feed {
    fn begin(p: &Platform, application: ApplicationId) -> Self {
        // One line of the past, so that there is a place after which all others come.
        let all = LogRequest {
            application,
            instance: None,
            after: None,
            since: None,
            tail: Some(1),
            filter: LineFilter::default(),
            follow: true,
        };
        let reading = Reading::of(p, all);
        let live = reading.live();
        let channel = Arc::new(Channel { sender: broadcast::Sender::new(KEPT), lines: Mutex::new(0) });
        let (to, mut lines) = mpsc::channel(BATCHES);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            reading.run(&to).await;
        });
        tasks.spawn({
            let channel = Arc::clone(&channel);
            async move {
                while let Some(batch) = lines.recv().await {
                    channel.send(batch);
                }
            }
        });
        Self { channel, live, _reading: tasks }
    }

    /// Waits until every line that is written from then on will come.
    pub(super) async fn is_live(&self) {
        let mut live = self.live.clone();
        // It ends only with this process.
        let _ = tokio::time::timeout(LIVE_WITHIN, live.wait_for(|live| *live)).await;
    }

    /// What comes from now on, and how many lines there were before.
    pub(super) fn subscribe(&self) -> (broadcast::Receiver<Arc<Numbered>>, u64) {
        let lines = self.channel.lock();
        (self.channel.sender.subscribe(), *lines)
    }
}

impl Channel {
    fn send(&self, batch: Lines) {
        let mut lines = self.lock();
        let batch = Numbered { before: *lines, batch };
        *lines = batch.after();
        // Nobody may be listening at this moment.
        let _ = self.sender.send(Arc::new(batch));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
