//! The trait of a plugin that decides what usage costs.

use crate::{
    Charge, Decimal, InvoiceLayout, InvoiceRequest, PluginError, Quote, QuoteRequest, RateRequest, Standing, StandingRequest, Value,
};

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

    /// What something would cost if it ran all the time, for estimates and for what a change of plan is said to cost. As many times
    /// the plan's prices as there are instances, unless it is written.
    ///
    /// # Errors
    /// A rate that cannot be quoted.
    fn quote(&self, request: QuoteRequest) -> Result<Quote, PluginError> {
        if request.hourly_rate < Decimal::ZERO || request.monthly_price < Decimal::ZERO {
            return Err(PluginError::new("RATE_NEGATIVE", "a price below zero cannot be quoted"));
        }
        Quote::usual(&request).ok_or_else(|| PluginError::new("AMOUNT_TOO_LARGE", "the quote is more than can be counted"))
    }

    /// How an account stands: asked after every billing cycle and every payment. Low when it covers less than a day of what runs,
    /// exhausted when it covers nothing, unless it is written. Warnings, the grace and suspensions that follow are the host's.
    ///
    /// # Errors
    /// An account that cannot be judged; it stays as it stood.
    fn standing(&self, request: StandingRequest) -> Result<Standing, PluginError> {
        Ok(Standing::usual(&request))
    }

    /// The lines of an invoice. Their amounts add up to those of the request's items, to the last place: an invoice says what was
    /// charged, and charges nothing. One line for each item, unless it is written.
    ///
    /// # Errors
    /// Items that cannot be laid out; there is no invoice then.
    fn invoice(&self, request: InvoiceRequest) -> Result<InvoiceLayout, PluginError> {
        Ok(InvoiceLayout::usual(&request))
    }
}
