//! One bridge network for each organization: its applications see each other and nobody else's.

use std::collections::{BTreeSet, HashMap};

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder};
use slipway_model::OrganizationId;

use super::containers::{Docker, refused};
use super::labels;
use crate::engine::EngineError;

pub fn name(organization: OrganizationId) -> String {
    format!("slipway-{organization}")
}

impl Docker {
    /// Makes the organization's network if there is none. Names of networks are not unique to the engine: the caller holds the lock.
    pub(super) async fn ensure_network(&self, organization: OrganizationId) -> Result<(), EngineError> {
        let docker = self.client()?;
        let name = name(organization);
        match docker.inspect_network(&name, None::<InspectNetworkOptions>).await.map_err(refused) {
            Ok(found) => {
                let managed = found.labels.is_some_and(|labels| labels.get(labels::MANAGED).is_some_and(|value| value == "true"));
                return if managed {
                    Ok(())
                } else {
                    Err(EngineError::Refused(format!("a network called {name} exists that Slipway did not make; remove or rename it")))
                };
            }
            Err(EngineError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let request = NetworkCreateRequest {
            name,
            driver: Some("bridge".to_owned()),
            internal: Some(false),
            attachable: Some(false),
            enable_ipv6: Some(false),
            labels: Some(HashMap::from([
                (labels::MANAGED.to_owned(), "true".to_owned()),
                (labels::NODE.to_owned(), self.node.to_string()),
                (labels::ORGANIZATION.to_owned(), organization.to_string()),
            ])),
            ..NetworkCreateRequest::default()
        };
        docker.create_network(request).await.map_err(refused)?;
        Ok(())
    }

    pub(super) async fn remove_other_networks(&self, keep: &BTreeSet<OrganizationId>) -> Result<(), EngineError> {
        let _one_at_a_time = self.networks.lock().await;
        let docker = self.client()?;
        let options = ListNetworksOptionsBuilder::default().filters(&labels::filter(self.node)).build();
        for network in docker.list_networks(Some(options)).await.map_err(refused)? {
            let organization = network.labels.as_ref().and_then(|labels| labels.get(labels::ORGANIZATION)?.parse().ok());
            let (Some(id), Some(organization)) = (network.id, organization) else { continue };
            if keep.contains(&organization) {
                continue;
            }
            // The engine refuses while something is attached, which is what is wanted.
            match docker.remove_network(&id).await.map_err(refused) {
                Ok(()) | Err(EngineError::NotFound | EngineError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
