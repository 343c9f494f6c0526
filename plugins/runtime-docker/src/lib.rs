//! Applications that bring their own Dockerfile: a runtime without versions, whose buildpack reads the Dockerfile.

use slipway_plugin_sdk::{
    LaunchRequest, LaunchSettings, PluginError, Resolution, ResolveRequest, RuntimeDescription, RuntimePlugin, export_plugin,
};

#[derive(Debug, Default)]
pub struct Docker;

impl RuntimePlugin for Docker {
    fn describe(&self) -> Result<RuntimeDescription, PluginError> {
        Ok(RuntimeDescription {
            slug: "docker".into(),
            name: "Dockerfile".into(),
            versions: Vec::new(),
            tools: Vec::new(),
            detect_files: vec!["Dockerfile".into()],
            default_port: 8080,
        })
    }

    fn resolve(&self, request: ResolveRequest) -> Result<Resolution, PluginError> {
        let message = format!("a Dockerfile names its own base images; there is no `{}` to choose", request.tool);
        Err(PluginError::new("UNKNOWN_TOOL", message))
    }

    /// What is in the image is the customer's business.
    fn launch(&self, _request: LaunchRequest) -> Result<LaunchSettings, PluginError> {
        Ok(LaunchSettings::default())
    }
}

export_plugin!(runtime: Docker);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_neither_versions_nor_tools() {
        let description = Docker.describe().unwrap();
        assert_eq!(description.slug, "docker");
        assert!(description.versions.is_empty() && description.tools.is_empty());
    }

    #[test]
    fn every_tool_is_refused() {
        let error = Docker.resolve(ResolveRequest { tool: "node".into(), constraint: "22".into() }).unwrap_err();
        assert_eq!(error.code, "UNKNOWN_TOOL");
    }

    #[test]
    fn nothing_is_set_in_a_customers_image() {
        let request = LaunchRequest { memory_bytes: 1, cpu_millis: 1, version: String::new() };
        assert!(Docker.launch(request).unwrap().env.is_empty());
    }
}
