//! Changing: one file per noun. Each resolver decodes, calls its rule, encodes.

mod account;
mod application;
mod billing;
mod catalog;
mod deployment;
mod fleet;
mod operation;
mod organization;
mod person;
mod plugin;
mod upkeep;
mod variable;

use async_graphql::MergedObject;

/// What can be changed.
#[derive(MergedObject, Default)]
pub struct Mutation(
    account::AccountMutation,
    catalog::CatalogMutation,
    application::ApplicationMutation,
    variable::VariableMutation,
    deployment::DeploymentMutation,
    fleet::FleetMutation,
    organization::OrganizationMutation,
    person::PersonMutation,
    plugin::PluginMutation,
    billing::BillingMutation,
    operation::OperationMutation,
    upkeep::UpkeepMutation,
);
