//! What a resolver finds in its context.

use async_graphql::{Context, ID};
use slipway_model::Viewer;

use super::{
    cost::{Charged, Tab},
    load::Rows,
};
use crate::{
    Platform,
    auth::{Caller, LoginAttempts},
    error::{Error, UserError},
};

pub(super) trait Request {
    fn platform(&self) -> &Platform;
    fn caller(&self) -> &Caller;
    /// Who asks, or `UNAUTHENTICATED`.
    fn viewer(&self) -> Result<&Viewer, Error>;
    /// Rows by id, loaded together for all fields of this request.
    fn rows(&self) -> &Rows;
    fn login_attempts(&self) -> &LoginAttempts;
    /// What this request came to.
    fn charged(&self) -> Option<&Charged>;
}

impl Request for Context<'_> {
    fn platform(&self) -> &Platform {
        self.data_unchecked()
    }

    fn caller(&self) -> &Caller {
        self.data_unchecked()
    }

    fn viewer(&self) -> Result<&Viewer, Error> {
        self.caller().viewer.as_ref().ok_or(Error::Unauthenticated)
    }

    fn rows(&self) -> &Rows {
        self.data_unchecked()
    }

    fn login_attempts(&self) -> &LoginAttempts {
        self.data_unchecked()
    }

    fn charged(&self) -> Option<&Charged> {
        self.data_unchecked::<Tab>().charged()
    }
}

/// Reads an id of an input. One that is malformed is answered like one that is not there.
pub(super) fn id<T: std::str::FromStr<Err = slipway_model::ParseIdError>>(path: &str, id: &ID) -> Result<T, Error> {
    id.as_str().parse().map_err(|error: slipway_model::ParseIdError| UserError::not_found(path, error.kind).into())
}

/// An optional [`id`].
pub(super) fn id_if<T: std::str::FromStr<Err = slipway_model::ParseIdError>>(path: &str, value: Option<&ID>) -> Result<Option<T>, Error> {
    value.map(|value| id(path, value)).transpose()
}
