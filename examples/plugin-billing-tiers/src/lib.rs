//! Billing by volume: the hourly rate that a plan has, and less of it from so many hours a month on.
//!
//! What a customer has used in the month before a period comes with the period (`used_before_micros`), so that the same period costs the
//! same whenever it is asked for. A period that crosses a tier's beginning is charged in parts.

mod tiers;

use std::sync::{PoisonError, RwLock};

use serde::Deserialize;
use slipway_plugin_sdk::{
    BillingPlugin, Charge, Decimal, PluginError, Quote, QuoteRequest, RateRequest, UsagePeriod, Value, export_plugin,
};
use tiers::{Tier, Tiers};

/// Of a quote's month.
const HOURS_PER_MONTH: u64 = 730;

/// The administrator's settings, as `settings_schema` in plugin.toml describes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    tiers: Option<Vec<Tier>>,
}

#[derive(Debug, Default)]
pub struct ByVolume {
    tiers: RwLock<Tiers>,
}

impl BillingPlugin for ByVolume {
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        let settings: Settings =
            serde_json::from_value(settings).map_err(|error| PluginError::new("SETTINGS_INVALID", error.to_string()))?;
        let tiers = settings.tiers.map_or_else(|| Ok(Tiers::default()), Tiers::new)?;
        *self.tiers.write().unwrap_or_else(PoisonError::into_inner) = tiers;
        Ok(())
    }

    fn rate(&self, request: RateRequest) -> Result<Vec<Charge>, PluginError> {
        let tiers = self.tiers.read().unwrap_or_else(PoisonError::into_inner);
        request.usage.into_iter().map(|period| charge(&tiers, period)).collect()
    }

    /// A month of it, by itself: what else the customer uses makes it cheaper still.
    fn quote(&self, request: QuoteRequest) -> Result<Quote, PluginError> {
        let tiers = self.tiers.read().unwrap_or_else(PoisonError::into_inner);
        check_rate("the plan", request.hourly_rate)?;
        let too_large = || PluginError::new("AMOUNT_TOO_LARGE", "the quote is more than can be counted");
        let month = u64::from(request.instances).checked_mul(HOURS_PER_MONTH * tiers::HOUR).ok_or_else(too_large)?;
        let monthly = tiers.amount(request.hourly_rate, 0, month).ok_or_else(too_large)?;
        let hourly = request.hourly_rate.checked_mul(Decimal::from(request.instances)).ok_or_else(too_large)?;
        Ok(Quote { currency: request.currency, hourly: hourly.round_dp(tiers::PLACES).normalize(), monthly })
    }
}

fn check_rate(whose: &str, rate: Decimal) -> Result<(), PluginError> {
    if rate < Decimal::ZERO {
        return Err(PluginError::new("RATE_NEGATIVE", format!("the hourly rate of {whose} is negative: {rate}")));
    }
    Ok(())
}

fn charge(tiers: &Tiers, period: UsagePeriod) -> Result<Charge, PluginError> {
    let UsagePeriod { key, start, end, hourly_rate, used_before_micros, .. } = period;
    check_rate(&key, hourly_rate)?;
    if end < start {
        return Err(PluginError::new("PERIOD_NEGATIVE", format!("the period of {key} ends at {end}, before it starts at {start}")));
    }
    let too_large = || PluginError::new("AMOUNT_TOO_LARGE", format!("the charge of {key} is more than can be counted"));
    let micros = (end - start).num_microseconds().and_then(|micros| u64::try_from(micros).ok()).ok_or_else(too_large)?;
    let amount = tiers.amount(hourly_rate, used_before_micros, micros).ok_or_else(too_large)?;
    let percent =
        tiers.percents(used_before_micros, micros).iter().map(|percent| format!("{percent} %")).collect::<Vec<_>>().join(", then ");
    Ok(Charge { key, amount, description: format!("{percent} of {} per hour", hourly_rate.normalize()) })
}

export_plugin!(billing: ByVolume);
