//! Rows by id, batched: one statement per table and level of a query, however many fields ask.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_graphql::dataloader::{DataLoader, Loader};
use slipway_model::{
    ApiTokenId, ApplicationId, DeploymentId, EnrollmentTokenId, InstanceId, NodeId, OperationId, OrganizationId, PlanId, RegionId,
    ReleaseId, RuntimeId, UserId, Viewer,
};
use slipway_store as store;
use store::{Page, Slice};

use super::{
    lists::{List, PartOf},
    turn::Turn,
};
use crate::{
    Platform,
    auth::Caller,
    capacity::{self, Taken},
    deployments::LAST_LINES,
    error::{Error, Result},
    quotas::Standing,
};

/// Loads what this request's caller may see.
pub(super) struct Tables {
    platform: Platform,
    viewer: Option<Viewer>,
}

/// Rows of every table, loaded together.
pub(super) struct Rows {
    loader: DataLoader<Tables>,
    is_signed_in: bool,
}

/// Loaded for many fields at once, so its cause is shared among them.
#[derive(Debug, Clone, thiserror::Error)]
#[error("rows could not be loaded: {0}")]
pub(super) struct LoadError(Arc<store::StoreError>);

pub(super) fn rows(platform: &Platform, caller: &Caller, turn: Turn) -> Rows {
    let tables = Tables { platform: platform.clone(), viewer: caller.viewer.clone() };
    let spawn = move |load| {
        let turn = turn.clone();
        tokio::spawn(async move {
            turn.over().await;
            load.await
        })
    };
    Rows { is_signed_in: caller.viewer.is_some(), loader: DataLoader::new(tables, spawn).delay(Duration::ZERO) }
}

impl Tables {
    /// Nobody sees no customer's rows, and the platform's rows are asked for without a viewer.
    pub(super) fn viewer(&self) -> Viewer {
        let nobody =
            || Viewer::User { id: UserId::from_uuid(uuid::Uuid::nil()), platform_admin: false, memberships: Vec::new(), token: None };
        self.viewer.clone().unwrap_or_else(nobody)
    }

    pub(super) fn now(&self) -> slipway_model::Timestamp {
        self.platform.now()
    }

    pub(super) async fn read<T>(&self, load: impl AsyncFnOnce(&mut store::Tx) -> Result<T, store::StoreError>) -> Result<T, LoadError> {
        let tx = async { load(&mut self.platform.db.read_as(&self.viewer()).await?).await };
        tx.await.map_err(|error| LoadError(Arc::new(error)))
    }
}

impl Rows {
    /// What hangs on a row, the empty answer where there is nothing.
    pub(super) async fn need_of<K>(&self, of: K) -> Result<<Tables as Loader<K>>::Value>
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
        Tables: Loader<K, Error = LoadError>,
    {
        self.load(of).await?.ok_or_else(|| Error::internal(anyhow::anyhow!("a row was not asked about")))
    }

    /// The wanted part of a list that hangs on a row.
    pub(super) async fn list<L: List>(&self, list: L, parent: L::Parent, page: Page) -> Result<Slice<L::Row>> {
        if !self.is_signed_in {
            return Err(Error::Unauthenticated);
        }
        let slice = self.loader.load_one(PartOf { list, parent, page }).await.map_err(Error::internal)?;
        slice.ok_or_else(|| Error::internal(anyhow::anyhow!("a list was not answered")))
    }

    /// The row, if the caller may see it.
    pub(super) async fn load<K>(&self, id: K) -> Result<Option<<Tables as Loader<K>>::Value>>
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
        Tables: Loader<K, Error = LoadError>,
    {
        self.loader.load_one(id).await.map_err(Error::internal)
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
                    let $viewer = &self.viewer();
                    let _ = $viewer;
                    self.read(async |$tx| $load.await).await
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
    RuntimeId => store::runtimes::Runtime, |tx, _viewer, ids| store::runtimes::by_ids(tx, ids);
    InstanceId => store::instances::Instance, |tx, viewer, ids| store::instances::by_ids(tx, viewer, ids);
    OperationId => store::operations::Operation, |tx, viewer, ids| store::operations::by_ids(tx, viewer, ids);
    ApiTokenId => store::api_tokens::ApiToken, |tx, _viewer, ids| store::api_tokens::by_ids(tx, ids);
    EnrollmentTokenId => store::enrollment_tokens::EnrollmentToken, |tx, _viewer, ids| store::enrollment_tokens::by_ids(tx, ids);
    Living => store::organizations::Organization, |tx, viewer, ids| living(tx, viewer, ids);
    ReleaseId => store::releases::Release, |tx, viewer, ids| store::releases::by_ids(tx, viewer, ids);
    StepsOf => Vec<store::deployments::DeploymentStep>, |tx, viewer, ids| per(ids, StepsOf, async |ids| store::deployments::steps_of(tx, viewer, ids).await);
    VariablesOf => Vec<store::variables::Variable>, |tx, viewer, ids| per(ids, VariablesOf, async |ids| store::variables::of_each_application(tx, viewer, ids).await);
    SizeOfBuildLog => i64, |tx, viewer, ids| per(ids, SizeOfBuildLog, async |ids| store::build_logs::sizes_of(tx, viewer, ids).await);
    BuildOutcomeOf => serde_json::Value, |tx, viewer, ids| per(ids, BuildOutcomeOf, async |ids| store::tasks::build_outcomes_of(tx, viewer, ids).await);
    EndOfBuildLog => Vec<store::build_logs::BuildLogLine>, |tx, viewer, ids| per(ids, EndOfBuildLog, async |ids| store::build_logs::ends_of(tx, viewer, ids, LAST_LINES as i64).await);
    MembershipsOf => Vec<store::memberships::Membership>, |tx, _viewer, ids| per(ids, MembershipsOf, async |ids| store::memberships::of_users(tx, ids).await);
    ApiTokensOf => Vec<store::api_tokens::ApiToken>, |tx, _viewer, ids| per(ids, ApiTokensOf, async |ids| store::api_tokens::of_users(tx, ids).await);
    AskedForCodes => bool, |tx, _viewer, ids| per(ids, AskedForCodes, async |ids| store::two_factor::confirmed_of(tx, ids).await);
    PromisedOn => store::nodes::Allocated, |tx, _viewer, ids| per(ids, PromisedOn, async |ids| store::nodes::allocated(tx, ids).await);
    UsersOf => i64, |tx, _viewer, ids| per(ids, UsersOf, async |ids| store::plans::application_counts(tx, ids).await);
    TakenIn => Taken, |tx, _viewer, ids| per(ids, TakenIn, async |ids| capacity::taken(tx, ids).await);
    RoomIn => bool, |tx, _viewer, ids| per(ids, RoomIn, async |ids| store::regions::have_capacity(tx, ids).await);
    RuntimesOf => Vec<store::runtimes::Runtime>, |tx, _viewer, kinds| runtimes_of(tx, kinds);
}

/// What is loaded by the id of another row.
macro_rules! ids_of {
    ($($(#[$doc:meta])* $name:ident($id:ty);)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub(super) struct $name(pub(super) $id);

            impl From<$name> for $id {
                fn from(of: $name) -> Self {
                    of.0
                }
            }
        )+
    };
}

ids_of! {
    /// A deployment's steps, in the order in which they are done.
    StepsOf(DeploymentId);
    /// The last lines of a deployment's build log, in order.
    EndOfBuildLog(DeploymentId);
    /// How many bytes a deployment's build log has.
    SizeOfBuildLog(DeploymentId);
    /// What its node said of a deployment's build, once that has ended.
    BuildOutcomeOf(DeploymentId);
    /// An application's variables, by key.
    VariablesOf(ApplicationId);
    /// Where a person belongs, in all organizations.
    MembershipsOf(UserId);
    /// Where a person is signed in, newest first.
    SessionsOf(UserId);
    /// A person's API tokens, newest first.
    ApiTokensOf(UserId);
    /// Whether a person is asked for a code when they sign in.
    AskedForCodes(UserId);
    /// What an organization may have, and has.
    StandingOf(OrganizationId);
    /// An organization that was not deleted.
    Living(OrganizationId);
    /// What of a node is promised to instances.
    PromisedOn(NodeId);
    /// How many applications use a plan.
    UsersOf(PlanId);
    /// What is promised of a region's nodes.
    TakenIn(RegionId);
    /// Whether a region has a node to place on.
    RoomIn(RegionId);
}

impl Loader<SessionsOf> for Tables {
    type Value = Vec<store::sessions::Session>;
    type Error = LoadError;

    async fn load(&self, users: &[SessionsOf]) -> Result<HashMap<SessionsOf, Self::Value>, LoadError> {
        let now = self.platform.now();
        self.read(async |tx| per(users, SessionsOf, async |ids| store::sessions::of_users(tx, ids, now).await).await).await
    }
}

impl Loader<StandingOf> for Tables {
    type Value = Standing;
    type Error = LoadError;

    async fn load(&self, organizations: &[StandingOf]) -> Result<HashMap<StandingOf, Standing>, LoadError> {
        let (viewer, ids) = (self.viewer(), organizations.iter().map(|of| of.0).collect::<Vec<_>>());
        let (quotas, used) = self
            .read(async |tx| Ok((store::quotas::of_each(tx, &viewer, &ids).await?, store::quotas::used_of_each(tx, &viewer, &ids).await?)))
            .await?;
        let standing = |id| Standing::of(quotas.get(id), used.get(id).copied().unwrap_or_default());
        Ok(ids.iter().map(|id| (StandingOf(*id), standing(id))).collect())
    }
}

/// The runtimes of a kind, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RuntimesOf(pub(super) String);

/// Loads by the ids within, and gives each its own answer; one that has none in the database has the empty one.
async fn per<Id: Copy + Eq + std::hash::Hash, K: Copy + Eq + std::hash::Hash + Into<Id>, T: Default>(
    keys: &[K],
    key: impl Fn(Id) -> K,
    load: impl AsyncFnOnce(&[Id]) -> Result<HashMap<Id, T>, store::StoreError>,
) -> Result<HashMap<K, T>, store::StoreError> {
    let ids: Vec<Id> = keys.iter().map(|key| (*key).into()).collect();
    let mut found = load(&ids).await?;
    Ok(ids.into_iter().map(|id| (key(id), found.remove(&id).unwrap_or_default())).collect())
}

async fn living(
    tx: &mut store::Tx,
    viewer: &Viewer,
    ids: &[Living],
) -> Result<HashMap<Living, store::organizations::Organization>, store::StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let found = store::organizations::living(tx, viewer, &ids).await?;
    Ok(found.into_iter().map(|(id, row)| (Living(id), row)).collect())
}

async fn runtimes_of(
    tx: &mut store::Tx,
    kinds: &[RuntimesOf],
) -> Result<HashMap<RuntimesOf, Vec<store::runtimes::Runtime>>, store::StoreError> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.0.as_str()).collect();
    let mut found: HashMap<RuntimesOf, Vec<_>> = kinds.iter().map(|kind| (kind.clone(), Vec::new())).collect();
    for runtime in store::runtimes::of_kinds(tx, &names).await? {
        found.entry(RuntimesOf(runtime.kind.clone())).or_default().push(runtime);
    }
    Ok(found)
}
