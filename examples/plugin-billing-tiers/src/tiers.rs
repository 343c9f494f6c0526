//! The tiers, and the arithmetic: in integers, and rounded once, so that no money comes or goes between the parts of a period.

use serde::Deserialize;
use slipway_plugin_sdk::{Decimal, PluginError};

/// In microseconds.
pub(crate) const HOUR: u64 = 3_600_000_000;
/// Decimal places of an amount.
pub(crate) const PLACES: u32 = 9;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tier {
    above_hours: u64,
    percent: u64,
}

/// Begins at 0, and each begins behind the one before.
#[derive(Debug)]
pub(crate) struct Tiers(Vec<Tier>);

impl Default for Tiers {
    fn default() -> Self {
        Self([(0, 100), (1000, 90), (5000, 75)].map(|(above_hours, percent)| Tier { above_hours, percent }).to_vec())
    }
}

impl Tiers {
    pub fn new(tiers: Vec<Tier>) -> Result<Self, PluginError> {
        let refused =
            |message: &str| Err(PluginError::new("TIERS_INVALID", message).with_fix("list the tiers by `above_hours`, from 0 on"));
        if tiers.first().is_none_or(|first| first.above_hours != 0) {
            return refused("the first tier does not begin at 0 hours");
        }
        if tiers.windows(2).any(|pair| pair[0].above_hours >= pair[1].above_hours) {
            return refused("a tier does not begin behind the one before it");
        }
        if tiers.iter().any(|tier| tier.percent > 100 || tier.above_hours > u64::MAX / HOUR) {
            return refused("a tier is of more than 100 percent, or begins at no hour of any month");
        }
        Ok(Self(tiers))
    }

    /// How long of a use each tier holds, with its percentage; tiers that hold nothing of it are left out.
    fn parts(&self, before: u64, micros: u64) -> Vec<(u64, u64)> {
        let after = before.saturating_add(micros);
        let mut parts = Vec::new();
        for (at, tier) in self.0.iter().enumerate() {
            let from = tier.above_hours.saturating_mul(HOUR).max(before);
            let to = self.0.get(at + 1).map_or(u64::MAX, |next| next.above_hours.saturating_mul(HOUR)).min(after);
            if from < to {
                parts.push((tier.percent, to - from));
            }
        }
        parts
    }

    /// The percentages that a use falls under, in order. One that takes no time falls under the tier that it begins in.
    pub fn percents(&self, before: u64, micros: u64) -> Vec<u64> {
        self.parts(before, micros.max(1)).into_iter().map(|(percent, _)| percent).collect()
    }

    /// Rounded half to even at nine places; `None` when it is too large to count. The rate is not negative.
    pub fn amount(&self, rate: Decimal, before: u64, micros: u64) -> Option<Decimal> {
        before.checked_add(micros)?;
        let weighted: u128 = self.parts(before, micros).into_iter().map(|(percent, micros)| u128::from(percent) * u128::from(micros)).sum();
        let rate = rate.normalize();
        let product = u128::try_from(rate.mantissa()).ok()?.checked_mul(weighted)?;
        // amount * 10^9 = mantissa / 10^scale * weighted / 100 / hour * 10^9
        let whole = 100 * u128::from(HOUR);
        let (numerator, denominator) = if rate.scale() <= PLACES {
            (product.checked_mul(10u128.pow(PLACES - rate.scale()))?, whole)
        } else {
            (product, whole.checked_mul(10u128.pow(rate.scale() - PLACES))?)
        };
        let (quotient, rest) = (numerator / denominator, numerator % denominator);
        let rounds_up = match (rest * 2).cmp(&denominator) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => quotient % 2 == 1,
            std::cmp::Ordering::Greater => true,
        };
        let rounded = i128::try_from(quotient.checked_add(u128::from(rounds_up))?).ok()?;
        Decimal::try_from_i128_with_scale(rounded, PLACES).ok().map(|amount| amount.normalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(before_hours: u64, hours: u64) -> String {
        Tiers::default().amount(Decimal::new(10, 3), before_hours * HOUR, hours * HOUR).unwrap().to_string()
    }

    #[test]
    fn the_more_is_used_the_less_it_costs() {
        assert_eq!(amount(0, 1), "0.01");
        assert_eq!(amount(1000, 1), "0.009");
        assert_eq!(amount(5000, 1), "0.0075");
        assert_eq!(amount(999, 2), "0.019", "half of it at 100 percent, half at 90");
        assert_eq!(amount(0, 6000), "53.5", "1000 h, 4000 h and 1000 h");
        assert_eq!(Tiers::default().percents(999 * HOUR, 2 * HOUR), [100, 90]);
        assert_eq!(Tiers::default().percents(5000 * HOUR, 0), [75]);
    }

    #[test]
    fn parts_of_a_month_cost_what_the_month_costs() {
        let by_the_hour: Decimal = (0..2000).map(|hour| Tiers::default().amount(Decimal::new(10, 3), hour * HOUR, HOUR).unwrap()).sum();
        assert_eq!(by_the_hour.normalize().to_string(), amount(0, 2000));
    }

    #[test]
    fn what_cannot_be_counted_is_nothing() {
        assert_eq!(Tiers::default().amount(Decimal::MAX, 0, HOUR), None);
        assert_eq!(Tiers::default().amount(Decimal::ONE, u64::MAX, 1), None);
    }

    #[test]
    fn tiers_begin_at_nothing_and_go_up() {
        let tiers = |hours: &[u64]| Tiers::new(hours.iter().map(|hours| Tier { above_hours: *hours, percent: 50 }).collect());
        assert!(tiers(&[0, 10, 20]).is_ok());
        for bad in [&[][..], &[1], &[0, 10, 10], &[0, 20, 10], &[0, u64::MAX]] {
            assert_eq!(tiers(bad).unwrap_err().code, "TIERS_INVALID", "{bad:?}");
        }
    }
}
