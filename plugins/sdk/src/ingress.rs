//! The trait of a plugin that decides how traffic reaches applications.

use crate::{PluginError, RenderedRoutes, RouteTable, Value};

/// Turns a node's routes into configuration files for its proxy: Traefik, or what `[proxy]` in the manifest says.
///
/// One value lives for as long as the process; it may be called from several threads at once, and has to answer within the
/// host's deadline. The same table has to give the same bytes, since a changed file makes the proxy reload.
pub trait IngressPlugin: Default + Send + Sync + 'static {
    /// Takes the administrator's settings, already checked against the manifest's `settings_schema`. Called before any other
    /// call where there are settings, and again whenever they change.
    ///
    /// # Errors
    /// Settings that the schema allows but that cannot be used. The settings of before stay in force then.
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        crate::refuse_unread(&settings)
    }

    /// The files of one node, at most one per application. `@<instance id>@` stands for an instance's address, which only the
    /// node's agent knows; where the manifest has a `[proxy]`, `@web@` stands for the address for visitors. The proxy must add the
    /// response header `x-slipway-route: <revision>` to what a route serves. Called whenever the routes of a node change.
    ///
    /// # Errors
    /// A table that cannot be rendered safely, such as a host name that would end its rule. Nothing is written then.
    fn render(&self, table: RouteTable) -> Result<RenderedRoutes, PluginError>;

    /// What speaks against serving this host name, as a sentence for the customer who asked for it, or `None`. Called when a
    /// domain is added, before its ownership is checked.
    ///
    /// # Errors
    /// The question could not be answered. A name that cannot be served is an answer, not an error.
    fn check_domain(&self, hostname: &str) -> Result<Option<String>, PluginError>;
}
