//! The lists of the schema that come in pages.

use slipway_store as store;

use super::{
    page::connections,
    types::{
        Application, ApplicationInstance, AuditEvent, Deployment, Event, Invitation, Invoice, LedgerEntry, Membership, NodeEnrollmentToken,
        Operation, Organization, Plan, Plugin, Region, Runtime, User, WorkerNode,
    },
};

connections! {
    store::applications::Application => Application, ApplicationConnection, ApplicationEdge;
    store::instances::Instance => ApplicationInstance, ApplicationInstanceConnection, ApplicationInstanceEdge;
    store::audit::AuditEvent => AuditEvent, AuditEventConnection, AuditEventEdge;
    store::deployments::Deployment => Deployment, DeploymentConnection, DeploymentEdge;
    store::events::Event => Event, EventConnection, EventEdge;
    store::invitations::Invitation => Invitation, InvitationConnection, InvitationEdge;
    store::invoices::Invoice => Invoice, InvoiceConnection, InvoiceEdge;
    store::ledger::LedgerEntry => LedgerEntry, LedgerEntryConnection, LedgerEntryEdge;
    store::memberships::Membership => Membership, MembershipConnection, MembershipEdge;
    store::enrollment_tokens::EnrollmentToken => NodeEnrollmentToken, NodeEnrollmentTokenConnection, NodeEnrollmentTokenEdge;
    store::operations::Operation => Operation, OperationConnection, OperationEdge;
    store::organizations::Organization => Organization, OrganizationConnection, OrganizationEdge;
    store::plans::Plan => Plan, PlanConnection, PlanEdge;
    crate::plugins::Installed => Plugin, PluginConnection, PluginEdge;
    store::regions::Region => Region, RegionConnection, RegionEdge;
    store::runtimes::Runtime => Runtime, RuntimeConnection, RuntimeEdge;
    store::users::User => User, UserConnection, UserEdge;
    store::nodes::Node => WorkerNode, WorkerNodeConnection, WorkerNodeEdge;
}
