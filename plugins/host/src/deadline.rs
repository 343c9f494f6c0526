//! Work that may never end, on a thread that is then left behind.
//!
//! Not tokio's blocking pool: a runtime that shuts down waits for that, and a thread that hangs would take a place in it for ever.

use std::{io, thread, time::Duration};

#[derive(Debug)]
pub(crate) enum Missed {
    Overran,
    /// The work panicked on our own side.
    Died,
    NoThread(io::Error),
}

pub(crate) async fn within<T: Send + 'static>(deadline: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Missed> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let on_thread = move || {
        // Nobody listens any more when the deadline has passed; the late answer is dropped.
        let _ = answer.send(work());
    };
    thread::Builder::new().name("plugin".into()).spawn(on_thread).map_err(Missed::NoThread)?;
    match tokio::time::timeout(deadline, answered).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(Missed::Died),
        Err(_) => Err(Missed::Overran),
    }
}
