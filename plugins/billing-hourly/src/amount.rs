//! The arithmetic, in integers: a decimal type would round the product and then the quotient, and two roundings are not one.

use rust_decimal::Decimal;

const PLACES: u32 = 9;
const MICROSECONDS_PER_HOUR: u128 = 3_600_000_000;

/// `rate * microseconds / hour`, rounded half to even at nine places; `None` when it is too large to count. The rate is not negative.
pub(crate) fn hourly(rate: Decimal, microseconds: u64) -> Option<Decimal> {
    let rate = rate.normalize();
    let mantissa = u128::try_from(rate.mantissa()).ok()?;
    let product = mantissa.checked_mul(u128::from(microseconds))?;
    // amount * 10^9 = mantissa / 10^scale * microseconds / hour * 10^9
    let (numerator, denominator) = if rate.scale() <= PLACES {
        (product.checked_mul(10u128.pow(PLACES - rate.scale()))?, MICROSECONDS_PER_HOUR)
    } else {
        (product, MICROSECONDS_PER_HOUR.checked_mul(10u128.pow(rate.scale() - PLACES))?)
    };
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let rounds_up = match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => whole % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    let rounded = i128::try_from(whole + u128::from(rounds_up)).ok()?;
    Decimal::try_from_i128_with_scale(rounded, PLACES).ok().map(|amount| amount.normalize())
}

/// Such as `730 h`, `1 h 30 min` or `12.5 s`.
pub(crate) fn duration(microseconds: u64) -> String {
    let (seconds, micros) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = Decimal::new((seconds % 60 * 1_000_000 + micros).cast_signed(), 6).normalize();
    let mut parts = Vec::new();
    if hours > 0 {
        parts.push(format!("{hours} h"));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} min"));
    }
    if !seconds.is_zero() || parts.is_empty() {
        parts.push(format!("{seconds} s"));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_people_say_it() {
        for (microseconds, text) in [
            (0, "0 s"),
            (12_500_000, "12.5 s"),
            (5_400_000_000, "1 h 30 min"),
            (3_600_000_000 * 730, "730 h"),
            (3_661_000_001, "1 h 1 min 1.000001 s"),
        ] {
            assert_eq!(duration(microseconds), text);
        }
    }
}
