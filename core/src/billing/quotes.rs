//! What something would cost, asked of the billing plugin.

use slipway_model::{Money, PlanId};
use slipway_plugin_host::{
    CallError,
    messages::{QuoteRequest, UsageKind},
};
use slipway_store::plans::Plan;

use super::plugin;
use crate::{
    Platform,
    error::{Error, Result, UserError, UserErrorCode},
    plans,
};

/// Of what runs all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    pub hourly: Money,
    /// Of 730 hours.
    pub monthly: Money,
}

/// What so many instances of a plan would cost.
///
/// # Errors
/// There is no such plan; the billing plugin does not say.
pub async fn of_plan(p: &Platform, plan: PlanId, instances: i64) -> Result<Estimate> {
    let plan = plans::find(p, plan).await?.ok_or_else(|| UserError::not_found("planId", "plan"))?;
    if !(1..=1_000).contains(&instances) {
        return Err(UserError::invalid("instances", "Use 1 to 1000.").into());
    }
    of(p, &plan, instances).await
}

pub(crate) async fn of(p: &Platform, plan: &Plan, instances: i64) -> Result<Estimate> {
    let failed = |message: String| Error::from(UserError::new(UserErrorCode::PluginFailed, "", message));
    let plugin = plugin(p).ok_or_else(|| failed("No billing plugin is enabled on this platform.".to_owned()))?;
    let request = QuoteRequest {
        currency: p.config.currency.to_string(),
        hourly_rate: plan.price_hourly.to_decimal(),
        monthly_price: plan.price_monthly.to_decimal(),
        instances: u32::try_from(instances).unwrap_or(0),
        kind: UsageKind::Instance,
    };
    let quote = match plugin.billing_quote(request).await {
        Ok(quote) => quote,
        Err(CallError::Refused(refusal)) => return Err(failed(refusal.message)),
        Err(error) => {
            tracing::warn!(%error, "a quote could not be had");
            return Err(failed("The billing plugin did not answer. Try again later.".to_owned()));
        }
    };
    let amount = |amount| Money::rounded(amount).ok_or_else(|| failed("The billing plugin quotes more than can be counted.".to_owned()));
    Ok(Estimate { hourly: amount(quote.hourly)?, monthly: amount(quote.monthly)? })
}
