//! What usage costs, to the last place.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;
use slipway_plugin_billing_hourly::Hourly;
use slipway_plugin_sdk::{BillingPlugin, Charge, PluginError, RateRequest, UsagePeriod};

fn period(rate: &str, microseconds: i64) -> UsagePeriod {
    let start: DateTime<Utc> = "2026-03-29T00:30:00Z".parse().unwrap();
    UsagePeriod {
        key: "ins_1".into(),
        start,
        end: start + TimeDelta::microseconds(microseconds),
        hourly_rate: rate.parse().unwrap(),
        ..UsagePeriod::default()
    }
}

fn rate(usage: Vec<UsagePeriod>) -> Result<Vec<Charge>, PluginError> {
    Hourly.rate(RateRequest { currency: "USD".into(), usage })
}

fn amount(hourly: &str, microseconds: i64) -> String {
    rate(vec![period(hourly, microseconds)]).unwrap()[0].amount.to_string()
}

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

#[test]
fn an_hour_costs_the_rate_and_a_part_its_part() {
    assert_eq!(amount("0.012", HOUR), "0.012");
    assert_eq!(amount("0.012", HOUR / 2), "0.006");
    assert_eq!(amount("0.012", 730 * HOUR), "8.76");
    assert_eq!(amount("1", SECOND), "0.000277778");
    assert_eq!(amount("0", HOUR), "0");
    assert_eq!(amount("5", 0), "0");
}

#[test]
fn a_half_goes_to_the_even_neighbour() {
    assert_eq!(amount("0.0000000005", HOUR), "0");
    assert_eq!(amount("0.0000000015", HOUR), "0.000000002");
    assert_eq!(amount("0.0000000025", HOUR), "0.000000002");
    assert_eq!(amount("0.0000000025000000000000000001", HOUR), "0.000000003");
    assert_eq!(amount("0.000000001", HOUR / 2), "0");
    assert_eq!(amount("0.000000003", HOUR / 2), "0.000000002");
}

#[test]
fn what_is_negative_is_refused() {
    assert_eq!(rate(vec![period("0.01", -1)]).unwrap_err().code, "PERIOD_NEGATIVE");
    assert_eq!(rate(vec![period("-0.01", HOUR)]).unwrap_err().code, "RATE_NEGATIVE");
    assert_eq!(amount("-0", HOUR), "0");
}

#[test]
fn one_bad_period_charges_nothing() {
    assert!(rate(vec![period("0.01", HOUR), period("0.01", -1)]).is_err());
}

#[test]
fn what_cannot_be_counted_is_refused_rather_than_wrong() {
    let error = rate(vec![period("79228162514264337593543950335", i64::MAX / 1000)]).unwrap_err();
    assert_eq!(error.code, "AMOUNT_TOO_LARGE");
}

#[test]
fn a_currency_is_three_capital_letters() {
    for currency in ["", "usd", "US", "EURO", "U$D"] {
        let error = Hourly.rate(RateRequest { currency: currency.into(), usage: Vec::new() }).unwrap_err();
        assert_eq!(error.code, "CURRENCY_INVALID");
    }
}

#[test]
fn a_charge_says_what_it_is_for() {
    let charge = rate(vec![period("0.0120", HOUR + HOUR / 2)]).unwrap().remove(0);
    assert_eq!(charge.key, "ins_1");
    assert_eq!(charge.description, "1 h 30 min at 0.012 USD per hour");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// However a period is cut, the parts differ from the whole by less than one unit in the last place for each cut.
    #[test]
    fn cutting_a_period_changes_no_more_than_rounding(mantissa in 0i64..1_000_000_000_000, length in 0i64..10_000 * HOUR, cut in 0.0f64..1.0) {
        let rate_text = Decimal::new(mantissa, 9).to_string();
        let first = (length as f64 * cut) as i64;
        let parts = rate(vec![period(&rate_text, first), period(&rate_text, length - first)]).unwrap();
        let whole = rate(vec![period(&rate_text, length)]).unwrap()[0].amount;
        let difference = (parts[0].amount + parts[1].amount - whole).abs();
        prop_assert!(difference <= Decimal::new(1, 9), "{difference}");
    }

    #[test]
    fn amounts_have_nine_places_at_most_and_grow_with_time(mantissa in 0i64..i64::MAX, scale in 0u32..28, length in 0i64..10_000 * HOUR) {
        let rate_text = Decimal::new(mantissa, scale).to_string();
        let charges = rate(vec![period(&rate_text, length), period(&rate_text, length + SECOND)]);
        if let Ok(charges) = charges {
            prop_assert!(charges[0].amount.scale() <= 9);
            prop_assert!(charges[0].amount <= charges[1].amount);
        }
    }
}
