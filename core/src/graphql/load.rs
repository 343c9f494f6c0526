//! Rows by id, batched: one statement per table and level of a query, however many fields ask.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_graphql::dataloader::{DataLoader, Loader};
use slipway_model::{ApplicationId, DeploymentId, NodeId, OrganizationId, PlanId, RegionId, UserId, Viewer};
use slipway_store as store;

use crate::{
    Platform,
    auth::Caller,
    error::{Error, Result},
};

/// Loads what this request's caller may see.
pub(super) struct Tables {
    platform: Platform,
    viewer: Option<Viewer>,
}

/// Rows of every table, loaded together.
pub(super) struct Rows(DataLoader<Tables>);

/// Loaded for many fields at once, so its cause is shared among them.
#[derive(Debug, Clone, thiserror::Error)]
#[error("rows could not be loaded: {0}")]
pub(super) struct LoadError(Arc<store::StoreError>);

pub(super) fn rows(platform: &Platform, caller: &Caller) -> Rows {
    let tables = Tables { platform: platform.clone(), viewer: caller.viewer.clone() };
    Rows(DataLoader::new(tables, tokio::spawn).delay(Duration::ZERO))
}

impl Rows {
    /// The row, if the caller may see it.
    pub(super) async fn load<K>(&self, id: K) -> Result<Option<<Tables as Loader<K>>::Value>>
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
        Tables: Loader<K, Error = LoadError>,
    {
        self.0.load_one(id).await.map_err(Error::internal)
    }

    /// A row that another one refers to.
    pub(super) async fn need<K>(&self, id: K) -> Result<<Tables as Loader<K>>::Value>
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + std::fmt::Display + 'static,
        Tables: Loader<K, Error = LoadError>,
    {
        let text = id.to_string();
        self.load(id).await?.ok_or_else(|| Error::internal(anyhow::anyhow!("{text} is referred to but cannot be seen")))
    }
}

macro_rules! tables {
    ($($id:ty => $row:ty, |$tx:ident, $viewer:ident, $ids:ident| $load:expr;)+) => {
        $(
            impl Loader<$id> for Tables {
                type Value = $row;
                type Error = LoadError;

                async fn load(&self, $ids: &[$id]) -> Result<HashMap<$id, $row>, LoadError> {
                    // Nobody sees no customer's rows, and the platform's rows are asked for without a viewer.
                    let nobody = Viewer::User { id: UserId::from_uuid(uuid::Uuid::nil()), platform_admin: false, memberships: Vec::new(), token: None };
                    let $viewer = self.viewer.as_ref().unwrap_or(&nobody);
                    let _ = $viewer;
                    let load = async {
                        let $tx = &mut self.platform.db.read_as($viewer).await?;
                        $load.await
                    };
                    load.await.map_err(|error| LoadError(Arc::new(error)))
                }
            }
        )+
    };
}

tables! {
    UserId => store::users::User, |tx, _viewer, ids| store::users::by_ids(tx, ids);
    OrganizationId => store::organizations::Organization, |tx, viewer, ids| store::organizations::by_ids(tx, viewer, ids);
    PlanId => store::plans::Plan, |tx, _viewer, ids| store::plans::by_ids(tx, ids);
    RegionId => store::regions::Region, |tx, _viewer, ids| store::regions::by_ids(tx, ids);
    NodeId => store::nodes::Node, |tx, _viewer, ids| store::nodes::by_ids(tx, ids);
    ApplicationId => store::applications::Application, |tx, viewer, ids| store::applications::by_ids(tx, viewer, ids);
    DeploymentId => store::deployments::Deployment, |tx, viewer, ids| store::deployments::by_ids(tx, viewer, ids);
}
