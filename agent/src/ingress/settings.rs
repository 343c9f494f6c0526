//! Where an ingress's files are, and Traefik's static configuration.

use std::path::{Path, PathBuf};

use crate::config::IngressConfig;

/// An ingress's folder under the agent's data. Routes and staging are on one file system, so that a rename is atomic.
#[derive(Debug, Clone)]
pub struct Folders {
    root: PathBuf,
    process: PathBuf,
}

impl Folders {
    /// Of Traefik.
    pub fn new(data_dir: &Path) -> Self {
        let root = data_dir.join("ingress");
        Self { process: root.join("process.json"), root }
    }

    /// Of another proxy: one ingress never reads what was written for another. Which process serves is noted in one place, so that
    /// one takes the place of the other.
    pub fn of_proxy(data_dir: &Path, program: &str) -> Self {
        Self { root: data_dir.join(format!("ingress-{program}")), ..Self::new(data_dir) }
    }

    /// # Errors
    /// Those of the file system.
    pub fn create(&self) -> std::io::Result<()> {
        self.process.parent().map_or(Ok(()), crate::durable::private_folder)?;
        crate::durable::private_folder(&self.routes())?;
        crate::durable::private_folder(&self.staging())
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Read by the proxy.
    pub fn routes(&self) -> PathBuf {
        self.root.join("routes")
    }

    /// Not read: a file that is being written here is nobody's business.
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub fn configuration(&self) -> PathBuf {
        self.root.join("traefik.toml")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("proxy.log")
    }

    pub fn process(&self) -> &Path {
        &self.process
    }
}

/// The text of Traefik's static configuration.
///
/// # Errors
/// A path is no text.
pub fn render(config: &IngressConfig, folders: &Folders) -> Result<String, toml::ser::Error> {
    let visitors = |address: std::net::SocketAddr| {
        serde_json::json!({
            "address": address.to_string(),
            // Routes that name no entry point are for visitors; none is ever for the internal one.
            "asDefault": true,
            // `X_Forwarded_For` must not pass for `X-Forwarded-For` at an application that folds names.
            "http": { "aliasHeadersStrategy": "delete" },
            "transport": {
                "respondingTimeouts": { "readTimeout": "60s", "idleTimeout": "180s" },
                "lifeCycle": { "graceTimeOut": "10s" },
            },
        })
    };
    let mut entry_points = serde_json::json!({
        "web": visitors(config.web_address),
        "internal": { "address": config.internal_address.to_string(), "http": { "aliasHeadersStrategy": "delete" } },
    });
    if let Some(address) = config.websecure {
        entry_points["websecure"] = visitors(address);
    }
    toml::to_string(&serde_json::json!({
        "global": { "checkNewVersion": false, "sendAnonymousUsage": false },
        "log": { "level": "WARN", "noColor": true },
        "entryPoints": entry_points,
        "ping": { "entryPoint": "internal" },
        "api": { "dashboard": false, "insecure": false },
        "metrics": { "prometheus": {
            "entryPoint": "internal",
            // What is asked of applications is told by service; of the rest nothing is read.
            "addEntryPointsLabels": false,
            "addServicesLabels": true,
            "buckets": super::counts::bounds_in_seconds(),
        } },
        "providers": {
            "providersThrottleDuration": "100ms",
            "file": { "directory": folders.routes().to_string_lossy(), "watch": true },
        },
        // The default would have a request to a container that is gone hang for 20 s.
        "serversTransport": { "forwardingTimeouts": { "dialTimeout": "2s" } },
    }))
}

/// The one route of the agent's own: Traefik's API on the internal entry point. Written anew, it has Traefik read the folder again.
pub const OWN_ROUTE_FILE: &str = "_slipway.toml";
pub const OWN_ROUTE: &str = "# Written by the agent.\n\
[http.routers.slipway-api]\n\
entryPoints = [\"internal\"]\n\
rule = \"PathPrefix(`/api`)\"\n\
service = \"api@internal\"\n";
