//! Lists that hang on rows, batched: the lists of all parents that a level of a query asks for come in one statement.

use std::{collections::HashMap, hash::Hash};

use async_graphql::dataloader::Loader;
use slipway_model::{
    ApplicationId, DeploymentId, NodeId, OrganizationId, RegionId, Timestamp, Viewer,
    state::{ApplicationStatus, DeploymentStatus, LedgerEntryKind},
};
use slipway_store as store;
use store::{Page, Slice, StoreError, Tx};

use super::load::{LoadError, Tables};

/// A kind of list: whose it is, and what narrows it besides the page.
pub(super) trait List: Send + Sync + Clone + Eq + Hash + 'static {
    type Parent: Send + Sync + Copy + Eq + Hash + 'static;
    type Row: Send + Sync + Clone + 'static;

    fn load(
        &self,
        tx: &mut Tx,
        viewer: &Viewer,
        parents: &[Self::Parent],
        page: &Page,
    ) -> impl Future<Output = Result<HashMap<Self::Parent, Slice<Self::Row>>, StoreError>> + Send;
}

/// The wanted part of one parent's list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PartOf<L: List> {
    pub(super) list: L,
    pub(super) parent: L::Parent,
    pub(super) page: Page,
}

impl<L: List> Loader<PartOf<L>> for Tables {
    type Value = Slice<L::Row>;
    type Error = LoadError;

    async fn load(&self, parts: &[PartOf<L>]) -> Result<HashMap<PartOf<L>, Self::Value>, LoadError> {
        // Almost always one: a field asks the same of each parent.
        let mut questions: HashMap<(&L, Page), Vec<L::Parent>> = HashMap::new();
        for part in parts {
            questions.entry((&part.list, part.page)).or_default().push(part.parent);
        }
        let viewer = self.viewer();
        let mut found = HashMap::with_capacity(parts.len());
        for ((list, page), parents) in questions {
            let slices = self.read(async |tx| list.load(tx, &viewer, &parents, &page).await).await?;
            found.extend(slices.into_iter().map(|(parent, slice)| (PartOf { list: list.clone(), parent, page }, slice)));
        }
        Ok(found)
    }
}

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } $parent:ty => $row:ty, |$tx:ident, $viewer:ident, $parents:ident, $page:ident| $load:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub(super) struct $name { $(pub(super) $field: $type),* }

            impl List for $name {
                type Parent = $parent;
                type Row = $row;

                async fn load(
                    &self,
                    $tx: &mut Tx,
                    $viewer: &Viewer,
                    $parents: &[$parent],
                    $page: &Page,
                ) -> Result<HashMap<$parent, Slice<$row>>, StoreError> {
                    let Self { $($field),* } = self;
                    $load.await
                }
            }
        )+
    };
}

lists! {
    /// Newest first.
    Applications { status: Option<Vec<ApplicationStatus>>, search: Option<String> } OrganizationId => store::applications::Application,
        |tx, viewer, parents, page| store::applications::of_each_organization(tx, viewer, parents, status.as_deref(), search.as_deref(), page);
    /// Those who have been there longest first.
    Memberships {} OrganizationId => store::memberships::Membership,
        |tx, viewer, parents, page| store::memberships::of_each_organization(tx, viewer, parents, page);
    /// Those that can still be accepted then, newest first.
    Invitations { now: Timestamp } OrganizationId => store::invitations::Invitation,
        |tx, viewer, parents, page| store::invitations::of_each_organization(tx, viewer, parents, *now, page);
    /// Newest first.
    AuditEvents {} OrganizationId => store::audit::AuditEvent,
        |tx, viewer, parents, page| store::audit::of_each_organization(tx, viewer, parents, page);
    /// Newest first.
    LedgerEntries { kinds: Option<Vec<LedgerEntryKind>> } OrganizationId => store::ledger::LedgerEntry,
        |tx, viewer, parents, page| store::ledger::of_each_organization(tx, viewer, parents, kinds.as_deref(), page);
    /// Newest first.
    Invoices {} OrganizationId => store::invoices::Invoice,
        |tx, viewer, parents, page| store::invoices::of_each_organization(tx, viewer, parents, page);
    /// Newest first.
    Deployments { status: Option<Vec<DeploymentStatus>> } ApplicationId => store::deployments::Deployment,
        |tx, viewer, parents, page| store::deployments::of_each_application(tx, viewer, parents, status.as_deref(), page);
    /// Those that should run or do, newest first.
    CurrentInstances {} ApplicationId => store::instances::Instance,
        |tx, viewer, parents, page| store::instances::current_of_each(tx, viewer, parents, page);
    /// What a deployment brought, newest first.
    InstancesBrought {} DeploymentId => store::instances::Instance,
        |tx, viewer, parents, page| store::instances::of_each_deployment(tx, viewer, parents, page);
    /// Newest first; ended ones too. For administrators.
    InstancesOn {} NodeId => store::instances::Instance,
        |tx, viewer, parents, page| store::instances::on_each(tx, viewer, parents, page);
    /// Newest first; revoked ones too. For administrators.
    NodesIn {} RegionId => store::nodes::Node,
        |tx, _viewer, parents, page| store::nodes::of_each_region(tx, parents, page);
    /// Newest first.
    Operations {} ApplicationId => store::operations::Operation,
        |tx, viewer, parents, page| store::operations::of_each_application(tx, viewer, parents, page);
    /// Newest first.
    Events {} ApplicationId => store::events::Event,
        |tx, viewer, parents, page| store::events::of_each_application(tx, viewer, parents, page);
}
