//! Bills each instance by the hour, to the microsecond: `hourly rate x time / 3600 s`, rounded once, half to even, at nine places.

mod amount;

use slipway_plugin_sdk::{BillingPlugin, Charge, PluginError, RateRequest, UsagePeriod, export_plugin};

#[derive(Debug, Default)]
pub struct Hourly;

impl BillingPlugin for Hourly {
    fn rate(&self, request: RateRequest) -> Result<Vec<Charge>, PluginError> {
        let currency = request.currency;
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(PluginError::new("CURRENCY_INVALID", format!("{currency:?} is not a currency code such as USD")));
        }
        request.usage.into_iter().map(|period| charge(period, &currency)).collect()
    }
}

fn charge(period: UsagePeriod, currency: &str) -> Result<Charge, PluginError> {
    let UsagePeriod { key, start, end, hourly_rate, .. } = period;
    if hourly_rate.is_sign_negative() && !hourly_rate.is_zero() {
        return Err(PluginError::new("RATE_NEGATIVE", format!("the hourly rate of {key} is negative: {hourly_rate}")));
    }
    let elapsed = end - start;
    if end < start {
        return Err(PluginError::new("PERIOD_NEGATIVE", format!("the period of {key} ends at {end}, before it starts at {start}")));
    }
    let too_large = || PluginError::new("AMOUNT_TOO_LARGE", format!("the charge of {key} is more than can be counted"));
    let microseconds = elapsed.num_microseconds().and_then(|micros| u64::try_from(micros).ok()).ok_or_else(too_large)?;
    let amount = amount::hourly(hourly_rate, microseconds).ok_or_else(too_large)?;
    let description = format!("{} at {} {currency} per hour", amount::duration(microseconds), hourly_rate.normalize());
    Ok(Charge { key, amount, description })
}

export_plugin!(billing: Hourly);
