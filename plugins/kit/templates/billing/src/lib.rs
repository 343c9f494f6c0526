//! Billing by {{id}}: `hourly rate x hours x percent / 100`, rounded to nine places.

use std::sync::{PoisonError, RwLock};

use serde::Deserialize;
use slipway_plugin_sdk::{BillingPlugin, Charge, Decimal, PluginError, RateRequest, UsagePeriod, Value, export_plugin};

/// Amounts have nine decimal places at most.
const PLACES: u32 = 9;

/// The administrator's settings, as `settings_schema` in plugin.toml describes them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    percent: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { percent: 100 }
    }
}

#[derive(Debug, Default)]
pub struct {{Type}} {
    settings: RwLock<Settings>,
}

impl BillingPlugin for {{Type}} {
    fn configure(&self, settings: Value) -> Result<(), PluginError> {
        let settings = serde_json::from_value(settings).map_err(|error| PluginError::new("SETTINGS_INVALID", error.to_string()))?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    fn rate(&self, request: RateRequest) -> Result<Vec<Charge>, PluginError> {
        let settings = *self.settings.read().unwrap_or_else(PoisonError::into_inner);
        request.usage.into_iter().map(|period| charge(settings, period)).collect()
    }
}

fn charge(settings: Settings, period: UsagePeriod) -> Result<Charge, PluginError> {
    let UsagePeriod { key, start, end, hourly_rate, .. } = period;
    if end < start {
        return Err(PluginError::new("PERIOD_NEGATIVE", format!("the period of {key} ends at {end}, before it starts at {start}")));
    }
    if hourly_rate.is_sign_negative() && !hourly_rate.is_zero() {
        return Err(PluginError::new("RATE_NEGATIVE", format!("the hourly rate of {key} is negative: {hourly_rate}")));
    }
    // Customers and administrators bring these numbers about: every step can overflow, and none may panic.
    let amount = (|| {
        let microseconds = Decimal::from((end - start).num_microseconds()?);
        let hours = microseconds.checked_div(Decimal::from(3_600_000_000_i64))?;
        let whole = hourly_rate.checked_mul(hours)?;
        whole.checked_mul(Decimal::new(i64::from(settings.percent), 2))
    })();
    let amount = amount.ok_or_else(|| PluginError::new("AMOUNT_TOO_LARGE", format!("the charge of {key} is more than can be counted")))?;
    let description = format!("{} % of {} per hour", settings.percent, hourly_rate.normalize());
    Ok(Charge { key, amount: amount.round_dp(PLACES).normalize(), description })
}

export_plugin!(billing: {{Type}});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_of_the_hourly_rate_is_charged() {
        let period = |end: &str| UsagePeriod {
            key: "ins_1".into(),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            end: end.parse().unwrap(),
            hourly_rate: Decimal::new(12, 3),
            ..UsagePeriod::default()
        };
        let charged = |percent, end| charge(Settings { percent }, period(end)).map(|charge| charge.amount.to_string());
        assert_eq!(charged(100, "2026-01-01T01:30:00Z"), Ok("0.018".into()));
        assert_eq!(charged(50, "2026-01-01T01:30:00Z"), Ok("0.009".into()));
        assert_eq!(charged(100, "2025-12-31T00:00:00Z").unwrap_err().code, "PERIOD_NEGATIVE");
    }
}
