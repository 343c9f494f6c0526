//! The objects of the schema: one file per noun. Each is a newtype over the row it shows.

pub mod application;
pub mod audit;
pub mod billing;
pub mod build;
pub mod deployment;
pub mod event;
pub mod instance;
pub mod invitation;
pub mod log;
pub mod metrics;
pub mod money;
pub mod operation;
pub mod organization;
pub mod plan;
pub mod plugin;
pub mod region;
pub mod report;
pub mod runtime;
pub mod source;
pub mod state;
pub mod upload;
pub mod user;
pub mod variable;
pub mod worker_node;

use async_graphql::{ID, Interface};

pub use self::{
    application::Application, audit::AuditEvent, billing::BillingAccount, billing::Invoice, billing::LedgerEntry, billing::SpendingAlert,
    build::Build, deployment::Deployment, event::Event, instance::ApplicationInstance, invitation::Invitation, operation::Operation,
    organization::Membership, organization::Organization, plan::Plan, plugin::Plugin, region::Region, runtime::Runtime,
    upload::SourceUpload, user::ApiToken, user::Session, user::User, variable::EnvironmentVariable, worker_node::NodeEnrollmentToken,
    worker_node::WorkerNode,
};

/// Anything that has an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque and stable; its prefix tells its kind."))]
pub enum Node {
    User(User),
    Session(Session),
    ApiToken(ApiToken),
    Organization(Organization),
    Membership(Membership),
    Invitation(Invitation),
    Plan(Plan),
    Runtime(Runtime),
    Region(Region),
    WorkerNode(WorkerNode),
    NodeEnrollmentToken(NodeEnrollmentToken),
    Application(Application),
    ApplicationInstance(ApplicationInstance),
    Deployment(Deployment),
    Build(Build),
    EnvironmentVariable(EnvironmentVariable),
    SourceUpload(SourceUpload),
    Operation(Operation),
    Event(Event),
    AuditEvent(AuditEvent),
    Plugin(Plugin),
    BillingAccount(BillingAccount),
    LedgerEntry(LedgerEntry),
    Invoice(Invoice),
    SpendingAlert(SpendingAlert),
}

/// Anything that belongs to an organization: who is no member of that does not see it.
#[derive(Interface)]
#[graphql(
    field(name = "id", ty = "ID", desc = "Opaque and stable; its prefix tells its kind."),
    field(name = "organization", ty = "Organization", desc = "Whose it is.")
)]
pub enum OrganizationOwned {
    Membership(Membership),
    Invitation(Invitation),
    Application(Application),
    ApplicationInstance(ApplicationInstance),
    Deployment(Deployment),
    Build(Build),
    EnvironmentVariable(EnvironmentVariable),
    SourceUpload(SourceUpload),
    BillingAccount(BillingAccount),
    Invoice(Invoice),
    SpendingAlert(SpendingAlert),
}
