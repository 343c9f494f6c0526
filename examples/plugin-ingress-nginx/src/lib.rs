//! nginx in Traefik's place: one file per application, which nginx includes.
//!
//! What runs nginx is the agent of each node, as `[proxy]` in plugin.toml says: it writes nginx.conf, has `nginx -t` check every new
//! route on a copy, renames it into place, sends SIGHUP, and looks for the route's header to see that it is in force.
//!
//! Invariant: a file is exactly what [`file::text`] writes, with names put in. Every name is checked here, although the platform has
//! checked it before, because nginx's configuration has no quoting that would hold whatever stands in it.

mod file;
mod name;

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

use serde::Deserialize;
use slipway_plugin_sdk::{ApplicationRoute, IngressPlugin, PluginError, RenderedRoutes, RouteFile, RouteTable, Value, export_plugin};

/// The administrator's settings, as `settings_schema` in plugin.toml describes them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    max_body_megabytes: u32,
    answer_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_body_megabytes: 64, answer_seconds: 60 }
    }
}

#[derive(Debug, Default)]
pub struct Nginx {
    settings: RwLock<Settings>,
}

impl IngressPlugin for Nginx {
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        let settings = serde_json::from_value(settings).map_err(|error| PluginError::new("SETTINGS_INVALID", error.to_string()))?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    /// An application without host names has no file: nobody could ask for it. One without instances has: visitors get a 503.
    fn render(&self, table: RouteTable) -> Result<RenderedRoutes, PluginError> {
        check(&table)?;
        let settings = *self.settings.read().unwrap_or_else(PoisonError::into_inner);
        let reachable = table.applications.into_iter().filter(|route| !route.hostnames.is_empty());
        let file = |route: ApplicationRoute| RouteFile {
            name: format!("{}.conf", route.application),
            content: file::text(settings, &route),
            application: route.application,
            revision: route.revision,
        };
        Ok(RenderedRoutes { files: reachable.map(file).collect() })
    }

    fn check_domain(&self, hostname: &str) -> Result<Option<String>, PluginError> {
        let problem = name::check_hostname(hostname).err();
        Ok(problem.or_else(|| (!hostname.contains('.')).then(|| format!("`{hostname}` has no dot; a domain looks like shop.example.org"))))
    }
}

/// All or nothing: half of a node's routes would be worse than those of before.
fn check(table: &RouteTable) -> Result<(), PluginError> {
    let (mut applications, mut hostnames) = (BTreeSet::new(), BTreeSet::new());
    for route in &table.applications {
        name::check_id(&route.application)?;
        name::check_id(&route.revision)?;
        if !applications.insert(&route.application) {
            return Err(PluginError::new("APPLICATION_TWICE", format!("{} has two routes", route.application)));
        }
        for hostname in &route.hostnames {
            name::check_hostname(hostname).map_err(|problem| PluginError::new("HOSTNAME_INVALID", problem))?;
            if !hostnames.insert(hostname) {
                let message = format!("{hostname} is routed twice; it can lead to one application only");
                return Err(PluginError::new("HOSTNAME_TWICE", message));
            }
        }
        for backend in &route.backends {
            name::check_id(&backend.instance)?;
            if backend.port == 0 {
                return Err(PluginError::new("PORT_INVALID", format!("{} listens on port 0, which is none", backend.instance)));
            }
        }
    }
    Ok(())
}

export_plugin!(ingress: Nginx);
