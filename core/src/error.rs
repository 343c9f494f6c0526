//! What a rule answers when it does not do what was asked.
//!
//! An expected refusal is [`Error::User`]: typed, with the path of the input it is about, shown as it stands. Everything else is
//! one of the few top-level answers. The cause of [`Error::Internal`] goes to the log and is never shown.

use slipway_model::{Currency, Money, NameError, RegionId};
use slipway_store::StoreError;

/// What a rule returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The codes that a client may branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserErrorCode {
    /// The value is not of the expected form.
    Invalid,
    /// A value is missing.
    Required,
    /// The value is longer or larger than is kept.
    TooLong,
    /// There is nothing of that id that the caller may see.
    NotFound,
    /// Another thing has this name already.
    AlreadyExists,
    /// It contradicts something that has happened, such as another request with the same idempotency key.
    Conflict,
    /// Somebody changed it since it was read.
    StaleVersion,
    /// Other things depend on it.
    InUse,
    /// Its present state does not allow that.
    InvalidState,
    /// A limit of the organization or plan is reached.
    QuotaExceeded,
    /// The wallet does not cover it.
    InsufficientBalance,
    /// No node of the region can take it.
    InsufficientCapacity,
    /// The worker node is not connected.
    NodeOffline,
    /// The domain's records do not show that it is the caller's.
    DnsNotVerified,
    /// The source could not be fetched.
    SourceUnreachable,
    /// The source may not be fetched.
    SourceForbidden,
    /// The archive was refused.
    ArchiveRejected,
    /// Not offered here.
    Unsupported,
    /// A plugin did not answer, or refused.
    PluginFailed,
}

/// What some codes carry beside their message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UserErrorData {
    #[default]
    None,
    /// The version that is stored now, for a client that wants to read again and retry.
    Conflict {
        current_version: Option<i64>,
    },
    Quota {
        limit: i64,
        used: i64,
    },
    Capacity {
        region: Option<RegionId>,
    },
    Balance {
        balance: Money,
        /// What an hour of everything that is wanted costs.
        required: Money,
        currency: Currency,
    },
    Source {
        url: Option<String>,
    },
}

/// An expected refusal, for the person who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UserError {
    pub code: UserErrorCode,
    /// A sentence that says what is wrong and, where it can, what to do.
    pub message: String,
    /// Names of the input fields that lead to the value, such as `["variables", "0", "key"]`.
    pub path: Vec<String>,
    pub data: UserErrorData,
}

impl UserError {
    /// `path` is dotted: `variables.0.key`; empty when the refusal is about no single value.
    #[must_use]
    pub fn new(code: UserErrorCode, path: &str, message: impl Into<String>) -> Self {
        let path = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self { code, message: message.into(), path, data: UserErrorData::None }
    }

    #[must_use]
    pub fn invalid(path: &str, message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::Invalid, path, message)
    }

    #[must_use]
    pub fn too_long(path: &str, message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::TooLong, path, message)
    }

    /// `what` as in "There is no `what` with this id".
    #[must_use]
    pub fn not_found(path: &str, what: &str) -> Self {
        Self::new(UserErrorCode::NotFound, path, format!("There is no {what} with this id."))
    }

    #[must_use]
    pub fn already_exists(path: &str, message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::AlreadyExists, path, message)
    }

    #[must_use]
    pub fn in_use(message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::InUse, "", message)
    }

    #[must_use]
    pub fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::InvalidState, "", message)
    }

    #[must_use]
    pub fn conflict(path: &str, message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::Conflict, path, message).with(UserErrorData::Conflict { current_version: None })
    }

    /// Somebody else changed it: `current` is the version that is stored now.
    #[must_use]
    pub fn stale(current: i64) -> Self {
        Self::new(
            UserErrorCode::StaleVersion,
            "expectedVersion",
            format!("It was changed in the meantime: its version is now {current}. Read it again, then repeat your change."),
        )
        .with(UserErrorData::Conflict { current_version: Some(current) })
    }

    #[must_use]
    pub fn with(self, data: UserErrorData) -> Self {
        Self { data, ..self }
    }
}

/// Everything that a rule may answer instead of doing its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Expected refusals; never empty.
    #[error("{}", .0.first().map_or("refused", |error| error.message.as_str()))]
    User(Vec<UserError>),
    #[error("sign in first")]
    Unauthenticated,
    #[error("your role does not allow this")]
    Forbidden,
    /// There is nothing of that id that the caller may see.
    #[error("not found")]
    NotFound,
    #[error("too many attempts; try again in {retry_after_seconds} s")]
    RateLimited { retry_after_seconds: u64 },
    /// For a moment; the text is shown.
    #[error("{0}")]
    Unavailable(String),
    /// The cause is for the log alone.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// An internal fault with its cause.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<UserError> for Error {
    fn from(error: UserError) -> Self {
        Self::User(vec![error])
    }
}

impl From<anyhow::Error> for Error {
    fn from(cause: anyhow::Error) -> Self {
        Self::Internal(cause)
    }
}

impl From<StoreError> for Error {
    fn from(cause: StoreError) -> Self {
        if cause.is_transient() {
            tracing::warn!(%cause, "the database was not free in time");
            return Self::Unavailable("The database is busy. Try again in a moment.".to_owned());
        }
        Self::Internal(cause.into())
    }
}

/// Collects every refusal of an input, so that a form shows them all at once.
#[derive(Debug, Default)]
pub struct Refusals(Vec<UserError>);

impl Refusals {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, error: UserError) {
        self.0.push(error);
    }

    /// Parses a name, and remembers why it is none.
    pub fn parse<T: std::str::FromStr<Err = NameError>>(&mut self, path: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error: NameError| self.push(UserError::invalid(path, capitalized(&error.to_string())))).ok()
    }

    /// Refuses when `condition` does not hold.
    pub fn check(&mut self, condition: bool, error: impl FnOnce() -> UserError) {
        if !condition {
            self.push(error());
        }
    }

    /// # Errors
    /// All that were collected, if any.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::User(self.0)) }
    }
}

/// A sentence: `use 1 to 40 characters` becomes `Use 1 to 40 characters.`
fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

#[cfg(test)]
mod tests {
    use slipway_model::Slug;

    use super::*;

    #[test]
    fn a_dotted_path_becomes_its_parts() {
        assert_eq!(UserError::invalid("variables.0.key", "x").path, ["variables", "0", "key"]);
        assert!(UserError::in_use("x").path.is_empty());
    }

    #[test]
    fn every_refusal_of_an_input_is_told_at_once() {
        let mut refusals = Refusals::new();
        assert_eq!(refusals.parse::<Slug>("slug", "Not A Slug"), None);
        refusals.check(false, || UserError::invalid("instances", "At least one."));
        let Err(Error::User(errors)) = refusals.done() else { panic!("two refusals") };
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0].message, "Begin with a lower-case letter.");
    }

    #[test]
    fn the_cause_of_an_internal_error_is_not_its_text() {
        assert_eq!(Error::internal(anyhow::anyhow!("password=hunter2")).to_string(), "internal error");
    }
}
