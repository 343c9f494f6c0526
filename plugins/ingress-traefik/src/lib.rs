//! Traefik 3: one file for its file provider per application.
//!
//! Invariant: a file is exactly the template of [`configuration`] with names put in. Every name is checked here, although the
//! core has checked it before, because a host name stands inside a rule (``Host(`...`)``) that it must not be able to close.

mod configuration;
mod name;

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

use slipway_plugin_sdk::{ApplicationRoute, IngressPlugin, PluginError, RenderedRoutes, RouteFile, RouteTable, Value, export_plugin};

use configuration::Settings;

#[derive(Debug, Default)]
pub struct Traefik {
    settings: RwLock<Settings>,
}

impl IngressPlugin for Traefik {
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        let settings = if settings.is_null() { Value::Object(Default::default()) } else { settings };
        let settings: Settings =
            serde_json::from_value(settings).map_err(|error| PluginError::new("SETTINGS_INVALID", error.to_string()))?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    /// An application without host names has no file: nobody could ask for it. One without backends has: visitors get a 503.
    fn render(&self, table: RouteTable) -> Result<RenderedRoutes, PluginError> {
        check(&table)?;
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner).clone();
        let reachable = table.applications.into_iter().filter(|route| !route.hostnames.is_empty());
        Ok(RenderedRoutes { files: reachable.map(|route| file(&settings, route)).collect::<Result<_, _>>()? })
    }

    fn check_domain(&self, hostname: &str) -> Result<Option<String>, PluginError> {
        let problem = name::check_hostname(hostname).err();
        Ok(problem.or_else(|| (!hostname.contains('.')).then(|| format!("`{hostname}` has no dot; a domain looks like shop.example.org"))))
    }
}

fn file(settings: &Settings, route: ApplicationRoute) -> Result<RouteFile, PluginError> {
    let content =
        toml::to_string(&configuration::of(settings, &route)).map_err(|error| PluginError::new("NOT_RENDERED", error.to_string()))?;
    let ApplicationRoute { application, revision, .. } = route;
    Ok(RouteFile { name: format!("{application}.toml"), application, revision, content })
}

/// Nothing is rendered unless all can be: half of a node's routes would be worse than those of before.
fn check(table: &RouteTable) -> Result<(), PluginError> {
    let mut applications = BTreeSet::new();
    let mut hostnames = BTreeSet::new();
    for route in &table.applications {
        name::check_id("application", &route.application)?;
        name::check_revision(&route.revision)?;
        if !applications.insert(&route.application) {
            return Err(PluginError::new("APPLICATION_TWICE", format!("{} has two routes", route.application)));
        }
        for hostname in &route.hostnames {
            name::check_hostname(hostname).map_err(|problem| PluginError::new("HOSTNAME_INVALID", problem))?;
            if !hostnames.insert(hostname) {
                return Err(PluginError::new("HOSTNAME_TWICE", format!("{hostname} is routed twice; it can lead to one application only")));
            }
        }
        for backend in &route.backends {
            name::check_id("instance", &backend.instance)?;
            if backend.port == 0 {
                return Err(PluginError::new("PORT_INVALID", format!("{} listens on port 0, which is none", backend.instance)));
            }
        }
    }
    Ok(())
}

export_plugin!(ingress: Traefik);
