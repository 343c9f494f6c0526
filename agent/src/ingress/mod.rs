//! The way in for visitors: the proxy, its route files, and the proof that a route is in force.
//!
//! Agents know Traefik by themselves. Of any other proxy the core says, in the words of an ingress plugin's manifest, how it is run,
//! checked and told to read its files again; the machine's administrator says which program that is.

mod counts;
mod file;
mod note;
pub(crate) mod plan;
mod process;
mod program;
mod proxy;
mod settings;
mod traefik;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use slipway_model::{ApplicationId, Hostname};

pub use counts::Counted;
pub use file::{RouteError, RouteFile, substitute};
pub use process::{IngressError, Supervisor, stop};
pub use proxy::{Absent, Proxy};
pub use traefik::Traefik;

/// What answers at the ingress under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The route of this revision.
    Revision(String),
    /// No route of ours, or one whose revision cannot be seen.
    Nothing,
    /// The ingress itself does not answer.
    Unreachable(String),
}

/// An ingress that serves what lies in its folder.
pub trait Ingress: Send + Sync {
    /// The route files that are there.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn files(&self) -> Result<Vec<RouteFile>, RouteError>;

    /// Checks the file and puts it in place at once, whole.
    ///
    /// # Errors
    /// It is not valid, its name belongs to another application, or the folder cannot be written.
    fn put(&self, file: &RouteFile, content: &str) -> Result<(), RouteError>;

    /// # Errors
    /// The folder cannot be written.
    fn remove(&self, file: &RouteFile) -> Result<(), RouteError>;

    /// Has the folder read again: removals in quick succession can be overlooked.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn nudge(&self) -> Result<(), RouteError>;

    /// What is served under this name now; `revision` is the one that is hoped for.
    fn seen<'a>(&'a self, hostname: &'a Hostname, revision: &'a str) -> BoxFuture<'a, Seen>;

    /// What visitors have asked of each application since the ingress began to count; or why it does not say.
    fn counted(&self) -> BoxFuture<'_, Result<BTreeMap<ApplicationId, Counted>, String>>;
}

/// A client for the machine's own plain HTTP: no proxies, no redirects, no trust, no connection kept.
///
/// # Errors
/// The client cannot be made.
pub(crate) fn plain_http() -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let client = reqwest::Client::builder()
        .use_preconfigured_tls(crate::tls::trusting_nobody()?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .connect_timeout(Duration::from_secs(2))
        .user_agent(concat!("slipway-agent/", env!("CARGO_PKG_VERSION")));
    Ok(client.build()?)
}
