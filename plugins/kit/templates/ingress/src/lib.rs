//! Ingress by {{id}}: one file per application, which nginx includes.
//!
//! A host name stands inside the file that is written, and must not be able to end its place there. So every name is checked here,
//! although the platform has checked it before.

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
    connect_seconds: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connect_seconds: 2 }
    }
}

#[derive(Debug, Default)]
pub struct {{Type}} {
    settings: RwLock<Settings>,
}

impl IngressPlugin for {{Type}} {
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        let settings = serde_json::from_value(settings).map_err(|error| PluginError::new("SETTINGS_INVALID", error.to_string()))?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    /// All or nothing: half of a node's routes would be worse than those of before.
    fn render(&self, table: RouteTable) -> Result<RenderedRoutes, PluginError> {
        check(&table)?;
        let settings = *self.settings.read().unwrap_or_else(PoisonError::into_inner);
        // Nobody could ask for an application without a host name.
        let reachable = table.applications.into_iter().filter(|route| !route.hostnames.is_empty());
        let file = |route: ApplicationRoute| RouteFile {
            name: format!("{}.conf", route.application),
            content: text(settings, &route),
            application: route.application,
            revision: route.revision,
        };
        Ok(RenderedRoutes { files: reachable.map(file).collect() })
    }

    fn check_domain(&self, hostname: &str) -> Result<Option<String>, PluginError> {
        Ok((!is_hostname(hostname)).then(|| "A domain looks like shop.example.org: letters, digits, hyphens and dots.".to_owned()))
    }
}

/// Plain HTTP only, as far as it goes. `@ins_...@` becomes an instance's address on the node, `@web@` the address for visitors.
fn text(settings: Settings, route: &ApplicationRoute) -> String {
    let ApplicationRoute { application, revision, hostnames, backends, .. } = route;
    // The agent looks for it to see that the route is in force: on what the application answers, and at a path of its own.
    let header = format!("add_header x-slipway-route {revision} always;");
    let mut server = vec!["listen @web@;".to_owned(), format!("server_name {};", hostnames.join(" ")), header.clone()];
    server.extend(block("location = /.well-known/slipway-route", vec![header, "return 204;".into()]));
    let mut lines = Vec::new();
    if backends.is_empty() {
        server.extend(block("location /", vec!["return 503;".into()]));
    } else {
        let each = backends.iter().map(|backend| format!("server @{}@:{} max_fails=0;", backend.instance, backend.port));
        lines.extend(block(&format!("upstream {application}"), each.collect()));
        let pass = vec![
            format!("proxy_pass http://{application};"),
            "proxy_http_version 1.1;".into(),
            "proxy_set_header Host $http_host;".into(),
            "proxy_set_header Connection \"\";".into(),
            format!("proxy_connect_timeout {}s;", settings.connect_seconds),
        ];
        server.extend(block("location /", pass));
    }
    lines.extend(block("server", server));
    lines.join("\n") + "\n"
}

fn block(head: &str, inside: Vec<String>) -> Vec<String> {
    let mut lines = vec![head.to_owned() + " {"];
    lines.extend(inside.into_iter().map(|line| "    ".to_owned() + &line));
    lines.push("}".into());
    lines
}

fn check(table: &RouteTable) -> Result<(), PluginError> {
    let refused = |code: &str, message: String| Err(PluginError::new(code, message));
    let (mut applications, mut hostnames) = (BTreeSet::new(), BTreeSet::new());
    for route in &table.applications {
        let ids = route.backends.iter().map(|backend| &backend.instance).chain([&route.application, &route.revision]);
        if let Some(id) = ids.into_iter().find(|id| !is_id(id)) {
            return refused("ID_INVALID", format!("{id:?} has something else than letters, digits, `_` and `-`"));
        }
        if !applications.insert(&route.application) {
            return refused("APPLICATION_TWICE", format!("{} has two routes", route.application));
        }
        for hostname in &route.hostnames {
            if !is_hostname(hostname) {
                return refused("HOSTNAME_INVALID", format!("{hostname:?} is not a host name"));
            }
            if !hostnames.insert(hostname) {
                return refused("HOSTNAME_TWICE", format!("{hostname} is routed twice; it can lead to one application only"));
            }
        }
    }
    Ok(())
}

fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

export_plugin!(ingress: {{Type}});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_names_are_put_into_a_file() {
        assert!(is_hostname("shop.example.org"));
        for bad in ["", "a;b", "a b", "*.example.org", "Shop.example.org", "a..b", "a\nb"] {
            assert!(!is_hostname(bad), "{bad:?}");
        }
    }
}
