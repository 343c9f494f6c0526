//! How refusals leave through GraphQL: expected ones as data beside the payload, the rest as top-level errors with a code.

use async_graphql::{Enum, ErrorExtensions, ID, Interface, SimpleObject};

use super::{scalar::BigInt, types::money::Money};
use crate::error::{Error, UserErrorData};

/// What a resolver returns.
pub(super) type Result<T, E = Refused> = std::result::Result<T, E>;

/// A top-level error on its way out. It is deliberately not `Display`: nothing but this module's conversion, which gives it a code
/// and hides its cause, can turn it into the executor's error.
#[derive(Debug)]
pub(super) struct Refused(pub Error);

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Refused> for async_graphql::Error {
    fn from(Refused(error): Refused) -> Self {
        let (code, message) = match &error {
            Error::User(errors) => {
                let first = errors.first();
                let is_missing = first.is_some_and(|first| first.code == crate::error::UserErrorCode::NotFound);
                let message = first.map_or_else(|| error.to_string(), |first| first.message.clone());
                (if is_missing { "NOT_FOUND" } else { "INVALID" }, message)
            }
            Error::Unauthenticated => ("UNAUTHENTICATED", "Sign in first: send `Authorization: Bearer <token>`.".to_owned()),
            Error::Forbidden => ("FORBIDDEN", "Your role does not allow this.".to_owned()),
            Error::NotFound => ("NOT_FOUND", "There is nothing with this id.".to_owned()),
            Error::RateLimited { retry_after_seconds } => {
                ("RATE_LIMITED", format!("Too much at once. Try again in {retry_after_seconds} seconds."))
            }
            Error::Unavailable(message) => ("UNAVAILABLE", message.clone()),
            Error::Internal(cause) => {
                tracing::error!(cause = format!("{cause:#}"), "a request failed");
                ("INTERNAL", "Something went wrong on our side. It has been recorded.".to_owned())
            }
        };
        let retry_after_seconds = match &error {
            Error::RateLimited { retry_after_seconds } => Some(*retry_after_seconds),
            _ => None,
        };
        Self::new(message).extend_with(|_, extensions| {
            extensions.set("code", code);
            if let Some(seconds) = retry_after_seconds {
                extensions.set("retryAfterSeconds", seconds);
            }
        })
    }
}

/// How an event of a subscription fails: as any resolver does.
pub(super) fn event_error(error: Error) -> async_graphql::Error {
    Refused(error).into()
}

/// A machine-readable reason for an expected refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::error::UserErrorCode")]
pub enum UserErrorCode {
    /// The value is not of the expected form.
    Invalid,
    /// A value is missing.
    Required,
    /// The value is longer or larger than is kept.
    TooLong,
    /// There is nothing of that id that you may see.
    NotFound,
    /// Another thing has this name already.
    AlreadyExists,
    /// It contradicts something that has happened, such as another request with the same idempotency key.
    Conflict,
    /// Somebody changed it since you read it.
    StaleVersion,
    /// Other things depend on it.
    InUse,
    /// Its present state does not allow that.
    InvalidState,
    /// A limit is reached.
    QuotaExceeded,
    /// The wallet does not cover it.
    InsufficientBalance,
    /// No node of the region can take it.
    InsufficientCapacity,
    /// The worker node is not connected.
    NodeOffline,
    /// The domain's records do not show that it is yours.
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

macro_rules! user_errors {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, SimpleObject)]
            pub struct $name {
                /// What a client may branch on.
                code: UserErrorCode,
                /// A sentence for the person who asked.
                message: String,
                /// The input fields that lead to the value this is about.
                path: Option<Vec<String>>,
                $($(#[$field_doc])* $field: $type,)*
            }
        )+

        /// An expected refusal: something that the person who asked can mend.
        #[derive(Debug, Clone, Interface)]
        #[graphql(
            field(name = "code", ty = "&UserErrorCode", desc = "What a client may branch on."),
            field(name = "message", ty = "&String", desc = "A sentence for the person who asked."),
            field(name = "path", ty = "&Option<Vec<String>>", desc = "The input fields that lead to the value this is about.")
        )]
        #[allow(clippy::enum_variant_names, reason = "the members bear the names of their types in the schema")]
        pub enum UserError { $($name($name)),+ }
    };
}

user_errors! {
    /// A value was refused as it stands, or the present state does not allow what was asked.
    ValidationError {}
    /// It contradicts something that happened before or meanwhile.
    ConflictError {
        /// The version that is stored now, where things have versions.
        current_version: Option<i64>,
    }
    /// A limit is reached.
    QuotaExceededError {
        /// How much there may be.
        limit: BigInt,
        /// How much there would be.
        used: BigInt,
    }
    /// The wallet does not cover it.
    InsufficientBalanceError {
        /// What the wallet holds.
        balance: Money,
        /// What an hour of everything that the organization wants to run would cost.
        required: Money,
    }
    /// No node can take it.
    InsufficientCapacityError {
        /// The region that was asked for.
        region_id: Option<ID>,
    }
    /// The source could not be fetched.
    SourceError {
        /// What was fetched.
        url: Option<String>,
    }
}

impl From<crate::error::UserError> for UserError {
    fn from(error: crate::error::UserError) -> Self {
        let (code, message) = (error.code.into(), error.message);
        let path = (!error.path.is_empty()).then_some(error.path);
        match error.data {
            UserErrorData::None => Self::ValidationError(ValidationError { code, message, path }),
            UserErrorData::Conflict { current_version } => Self::ConflictError(ConflictError { code, message, path, current_version }),
            UserErrorData::Quota { limit, used } => {
                Self::QuotaExceededError(QuotaExceededError { code, message, path, limit: BigInt(limit), used: BigInt(used) })
            }
            UserErrorData::Balance { balance, required, currency } => {
                let (balance, required) = (Money::new(balance, currency), Money::new(required, currency));
                Self::InsufficientBalanceError(InsufficientBalanceError { code, message, path, balance, required })
            }
            UserErrorData::Capacity { region } => {
                let region_id = region.map(|id| ID(id.to_string()));
                Self::InsufficientCapacityError(InsufficientCapacityError { code, message, path, region_id })
            }
            UserErrorData::Source { url } => Self::SourceError(SourceError { code, message, path, url }),
        }
    }
}

/// What a mutation answers: what it made, or why it did not.
pub(super) trait Payload: Sized {
    fn refused(errors: Vec<UserError>) -> Self;
}

/// The last of a mutation's three steps: encodes what its rule answered.
pub(super) fn answer<T, P: Payload>(outcome: crate::error::Result<T>, done: impl FnOnce(T) -> P) -> Result<P> {
    if let Err(error) = &outcome {
        super::audit::note(error);
    }
    match outcome {
        Ok(value) => Ok(done(value)),
        Err(Error::User(errors)) => Ok(P::refused(errors.into_iter().map(Into::into).collect())),
        Err(Error::NotFound) => Ok(P::refused(vec![crate::error::UserError::not_found("id", "such thing").into()])),
        Err(error) => Err(Refused(error)),
    }
}

/// Declares payloads: every field nullable, `errors` last.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {
        $(
            $(#[$doc])*
            #[derive(async_graphql::SimpleObject, Default)]
            pub struct $name {
                $($(#[$field_doc])* pub(crate) $field: Option<$type>,)*
                /// Why nothing was done; empty when it was done.
                pub(crate) errors: Vec<$crate::graphql::error::UserError>,
            }

            impl $crate::graphql::error::Payload for $name {
                fn refused(errors: Vec<$crate::graphql::error::UserError>) -> Self {
                    Self { errors, ..Self::default() }
                }
            }
        )+
    };
}
pub(super) use payloads;
