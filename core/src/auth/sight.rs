//! Whether one caller may still see one application: asked again for every batch of its log.
//!
//! Many subscriptions of one caller ask at the same moment. They share an answer, but only one that was begun after they asked.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use slipway_model::ApplicationId;

use super::caller::{Caller, Credential};
use crate::{Platform, applications, error::Error};

type Key = (Credential, ApplicationId);

/// Who is looking at which application. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sights(Arc<Mutex<HashMap<Key, Weak<Questions>>>>);

/// What a subscription asks with.
#[derive(Debug)]
pub struct Sight {
    caller: Caller,
    application: ApplicationId,
    /// Of nobody in particular there are none: each asks for itself.
    questions: Option<Arc<Questions>>,
}

#[derive(Debug, Default)]
struct Questions {
    /// Questions that were begun.
    begun: AtomicU64,
    /// The last that was answered, and how. Who holds this asks; the others wait for their turn.
    answered: tokio::sync::Mutex<(u64, Verdict)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Verdict {
    May,
    #[default]
    NotFound,
    Unauthenticated,
}

impl Sights {
    #[must_use]
    pub fn of(&self, caller: &Caller, application: ApplicationId) -> Sight {
        let questions = caller.credential.map(|credential| {
            let mut sights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (credential, application);
            if let Some(open) = sights.get(&key).and_then(Weak::upgrade) {
                return open;
            }
            // Those whose subscriptions have ended go when their number has become worth the look.
            if sights.len() == sights.capacity() {
                sights.retain(|_, questions| questions.strong_count() > 0);
            }
            let questions = Arc::<Questions>::default();
            sights.insert(key, Arc::downgrade(&questions));
            questions
        });
        Sight { caller: caller.clone(), application, questions }
    }
}

impl Sight {
    /// # Errors
    /// [`Error::Unauthenticated`] and [`Error::NotFound`] once the caller may not; those of the database.
    pub async fn holds(&self, platform: &Platform) -> Result<(), Error> {
        let verdict = match &self.questions {
            Some(questions) => questions.ask(async || self.ask(platform).await).await?,
            None => self.ask(platform).await?,
        };
        match verdict {
            Verdict::May => Ok(()),
            Verdict::NotFound => Err(Error::NotFound),
            Verdict::Unauthenticated => Err(Error::Unauthenticated),
        }
    }

    async fn ask(&self, platform: &Platform) -> Result<Verdict, Error> {
        let caller = match self.caller.clone().refreshed(platform).await {
            Ok(caller) => caller,
            Err(Error::Unauthenticated) => return Ok(Verdict::Unauthenticated),
            Err(error) => return Err(error),
        };
        let Some(viewer) = &caller.viewer else { return Ok(Verdict::Unauthenticated) };
        let found = applications::find(platform, viewer, self.application).await?;
        Ok(if found.is_some() { Verdict::May } else { Verdict::NotFound })
    }
}

impl Questions {
    /// An answer to a question that was begun after this was called.
    async fn ask<E>(&self, ask: impl AsyncFnOnce() -> Result<Verdict, E>) -> Result<Verdict, E> {
        let wanted = self.begun.load(Ordering::SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if answered.0 < wanted {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            *answered = (number, ask().await?);
        }
        Ok(answered.1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn who_asks_at_once_shares_an_answer_and_who_asks_later_gets_a_newer_one() {
        let (questions, asked, may) = (Questions::default(), AtomicU64::new(0), AtomicBool::new(true));
        let (begun, go_on) = (Notify::new(), Notify::new());
        let slow = async || {
            asked.fetch_add(1, Ordering::SeqCst);
            let verdict = if may.load(Ordering::SeqCst) { Verdict::May } else { Verdict::NotFound };
            begun.notify_one();
            go_on.notified().await;
            Ok::<_, ()>(verdict)
        };
        let first = questions.ask(&slow);
        let meanwhile = async {
            begun.notified().await;
            // It was begun before this: what it will say does not count any more.
            may.store(false, Ordering::SeqCst);
            let later = futures::future::join_all((0..100).map(|_| questions.ask(&slow)));
            let release = async {
                go_on.notify_one();
                begun.notified().await;
                go_on.notify_one();
            };
            tokio::join!(later, release).0
        };
        let (first, later) = tokio::join!(first, meanwhile);
        assert_eq!(first, Ok(Verdict::May));
        assert!(later.iter().all(|verdict| *verdict == Ok(Verdict::NotFound)), "{later:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn one_that_failed_answers_nobody() {
        let questions = Questions::default();
        assert_eq!(questions.ask(async || Err::<Verdict, _>("away")).await, Err("away"));
        assert_eq!(questions.ask(async || Ok::<_, &str>(Verdict::May)).await, Ok(Verdict::May));
    }
}
