//! When rows are loaded: once every field that is ready to ask for one has asked.
//!
//! A document's fields are polled one after the other, by one task; what they ask for is loaded by another. Without waiting for the
//! first, a second thread would begin with what the first few fields asked for, and a list would cost a statement now and another then.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::sync::Notify;

#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Fields are being polled at this moment.
    is_on: AtomicBool,
    over: Notify,
}

impl Turn {
    /// What `work` does in one go is one turn.
    pub(super) async fn of<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| self.take(|| work.as_mut().poll(context))).await
    }

    /// One turn.
    pub(super) fn take<T>(&self, work: impl FnOnce() -> T) -> T {
        let _ended = Ended::after(&self.0);
        work()
    }

    /// Waits for the end of the turn that is on.
    pub(super) async fn over(&self) {
        loop {
            let mut over = pin!(self.0.over.notified());
            over.as_mut().enable();
            if !self.0.is_on.load(Ordering::SeqCst) {
                return;
            }
            over.await;
        }
    }
}

/// The turn ends also where the work panics.
struct Ended<'a>(&'a Shared);

impl<'a> Ended<'a> {
    fn after(shared: &'a Shared) -> Self {
        shared.is_on.store(true, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.is_on.store(false, Ordering::SeqCst);
        self.0.over.notify_waiters();
    }
}

/// A stream whose every poll is a turn.
pub(super) fn turns<S: futures::Stream>(turn: Turn, stream: S) -> impl futures::Stream<Item = S::Item> {
    let mut stream = Box::pin(stream);
    futures::stream::poll_fn(move |context: &mut Context<'_>| -> Poll<Option<S::Item>> { turn.take(|| stream.as_mut().poll_next(context)) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_waits_for_a_turn_sees_all_of_it() {
        for _ in 0..200 {
            let (turn, asked) = (Turn::default(), Arc::new(AtomicUsize::new(0)));
            let seen = turn.take(|| {
                let (turn, asked_by_then) = (turn.clone(), Arc::clone(&asked));
                let waiting = tokio::spawn(async move {
                    turn.over().await;
                    asked_by_then.load(Ordering::SeqCst)
                });
                for _ in 0..100 {
                    asked.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                }
                waiting
            });
            assert_eq!(seen.await.unwrap(), 100);
        }
    }

    #[tokio::test]
    async fn nobody_waits_where_no_turn_is_on() {
        let turn = Turn::default();
        turn.over().await;
        assert_eq!(turn.of(async { 7 }).await, 7);
        turn.over().await;
    }
}
