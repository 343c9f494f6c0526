//! The trait of a plugin that decides what usage costs.

use crate::{Charge, PluginError, RateRequest, Value};

/// Turns periods of use into charges.
///
/// One value lives for as long as the process; it may be called from several threads at once, and has to answer within the
/// host's deadline. The ledger asks again after a crash: the same request has to give the same charges.
pub trait BillingPlugin: Default + Send + Sync + 'static {
    /// Takes the administrator's settings, already checked against the manifest's `settings_schema`. Called before any other
    /// call where there are settings, and again whenever they change.
    ///
    /// # Errors
    /// Settings that the schema allows but that cannot be used. The settings of before stay in force then.
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        crate::refuse_unread(&settings)
    }

    /// What each period costs: one charge per period, in the same order, with the period's key. Amounts are in units of the
    /// request's currency, at least zero, with at most nine decimal places. Called once per billing cycle and resource, and
    /// when an instance stops.
    ///
    /// # Errors
    /// A period or a rate that cannot be rated. Nothing is charged then, so one bad period refuses the whole request.
    fn rate(&self, request: RateRequest) -> Result<Vec<Charge>, PluginError>;
}
