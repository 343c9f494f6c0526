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
    task::{Context, Poll, Wake, Waker},
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
    /// What `work` does in one go is one turn, also where it gives way to others in between.
    pub(super) async fn of<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        let _ended = Ended(self.clone());
        poll_fn(|context| self.take(context, |context| work.as_mut().poll(context))).await
    }

    /// One poll. Whoever wakes itself is only giving way, and goes on where it was.
    fn take<T>(&self, context: &Context<'_>, work: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.0.is_on.store(true, Ordering::SeqCst);
        let noting = Arc::new(Noting { waker: context.waker().clone(), is_woken: AtomicBool::new(false) });
        let polled = work(&mut Context::from_waker(&Waker::from(Arc::clone(&noting))));
        if polled.is_ready() || !noting.is_woken.load(Ordering::SeqCst) {
            self.0.end();
        }
        polled
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

impl Shared {
    fn end(&self) {
        self.is_on.store(false, Ordering::SeqCst);
        self.over.notify_waiters();
    }
}

/// The turn ends also where the work panics or is given up.
struct Ended(Turn);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.0.end();
    }
}

/// Wakes, and remembers that it did.
struct Noting {
    waker: Waker,
    is_woken: AtomicBool,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }
}

/// A stream whose every poll is a turn.
pub(super) fn turns<S: futures::Stream>(turn: Turn, stream: S) -> impl futures::Stream<Item = S::Item> {
    let mut stream = Box::pin(stream);
    let turn = Ended(turn);
    futures::stream::poll_fn(move |context: &mut Context<'_>| turn.0.take(context, |context| stream.as_mut().poll_next(context)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_waits_for_a_turn_sees_all_of_it_also_where_it_gives_way() {
        for _ in 0..200 {
            let (turn, asked) = (Turn::default(), Arc::new(AtomicUsize::new(0)));
            let mut waiting = None;
            let mut rounds = 0;
            let work = poll_fn(|context| {
                waiting.get_or_insert_with(|| {
                    let (turn, asked) = (turn.clone(), Arc::clone(&asked));
                    tokio::spawn(async move {
                        turn.over().await;
                        asked.load(Ordering::SeqCst)
                    })
                });
                for _ in 0..30 {
                    asked.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                }
                rounds += 1;
                if rounds == 3 {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            });
            turn.of(work).await;
            assert_eq!(waiting.unwrap().await.unwrap(), 90);
        }
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_is_over() {
        let turn = Turn::default();
        {
            let work = turn.of(poll_fn(|context| {
                context.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
            assert!(futures::poll!(pin!(work)).is_pending());
        }
        turn.over().await;
    }

    #[tokio::test]
    async fn nobody_waits_where_no_turn_is_on() {
        let turn = Turn::default();
        turn.over().await;
        assert_eq!(turn.of(async { 7 }).await, 7);
        turn.over().await;
    }
}
