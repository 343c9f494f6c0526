//! Writes down what a piece of work does, in the transaction in which it does it.
//!
//! The work does not know: the first transaction that it commits carries the row. So nothing is changed without being written down,
//! and nothing is written down as done that was not. Whoever began the recording writes the row itself where nothing was changed.

use std::sync::{Arc, Mutex, PoisonError};

use slipway_model::{OrganizationId, UserId, state::AuditOutcome};

use super::NewAuditEvent;

tokio::task_local! {
    static RECORDING: Arc<Mutex<State>>;
}

#[derive(Debug)]
struct State {
    event: NewAuditEvent,
    /// What the work itself said came of it.
    outcome: Option<AuditOutcome>,
    /// As it was committed.
    written: Option<AuditOutcome>,
}

/// What became of a recording. Cheap to clone; clones are the same recording.
#[derive(Debug, Clone)]
pub struct Recorded(Arc<Mutex<State>>);

impl Recorded {
    #[must_use]
    pub fn new(event: NewAuditEvent) -> Self {
        Self(Arc::new(Mutex::new(State { event, outcome: None, written: None })))
    }

    /// What is still to be written: nothing, if the row that was committed says what came of it. `outcome` is taken where the work
    /// itself said nothing.
    #[must_use]
    pub fn unwritten(&self, outcome: AuditOutcome) -> Option<NewAuditEvent> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = state.outcome.unwrap_or(outcome);
        (state.written != Some(outcome)).then(|| NewAuditEvent { outcome, ..state.event.clone() })
    }

    /// Whether a transaction was committed.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).written.is_some()
    }
}

/// Does the work; the first transaction that it commits carries the event.
pub async fn record<T>(recorded: &Recorded, work: impl Future<Output = T>) -> T {
    RECORDING.scope(recorded.0.clone(), work).await
}

fn with(change: impl FnOnce(&mut State)) {
    // Outside of a recording there is nothing to note.
    let _ = RECORDING.try_with(|state| change(&mut state.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// What came of it, when it is not simply done.
pub fn note_outcome(outcome: AuditOutcome) {
    with(|state| state.outcome = Some(outcome));
}

/// Why it was refused: codes and names of inputs, never values.
pub fn note_refusals(refusals: Vec<String>) {
    with(|state| {
        if let Some(serde_json::Value::Object(data)) = &mut state.event.data {
            data.insert("refused".to_owned(), refusals.into());
        }
    });
}

/// What it is done to, where its input does not say: something new.
pub fn note_subject(id: impl std::fmt::Display) {
    with(|state| state.event.subject = Some(id.to_string()));
}

/// Who does it, where that is only now known: somebody who signs in.
pub fn note_actor(user: UserId) {
    with(|state| state.event.actor_id = Some(user));
}

/// Whose it is, where its input does not say.
pub fn note_organization(organization: OrganizationId) {
    with(|state| state.event.organization_id = Some(organization));
}

/// The event that the transaction about to be committed has to carry.
pub(crate) fn pending() -> Option<NewAuditEvent> {
    let pending = RECORDING.try_with(|state| {
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = state.outcome.unwrap_or(state.event.outcome);
        state.written.is_none().then(|| NewAuditEvent { outcome, ..state.event.clone() })
    });
    pending.ok().flatten()
}

/// It was committed.
pub(crate) fn written(outcome: AuditOutcome) {
    with(|state| state.written = Some(outcome));
}
