//! Exact decimal arithmetic. Sums and products are exact or an error; only quotients, roots and ratios are rounded.
//!
//! `rust_decimal` rounds in silence once a result needs more than 28 places, so its own `checked_*` are used here for
//! ratios alone, where a rounding in the 28th digit is what division is anyway.

use rust_decimal::{Decimal, RoundingStrategy};

/// Places that fee shares keep at least: room for trillions before the point, and for ten digits of a ratio between
/// fees of a millionth.
const SHARE_PLACES: u32 = 16;

/// A result that 96 bits and 28 places cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a figure needs more than 28 digits and cannot be held exactly")]
pub struct Inexact;

/// The result of exact arithmetic.
pub type Exact = Result<Decimal, Inexact>;

fn parts(value: Decimal) -> (i128, u32) {
    let value = value.normalize();
    (value.mantissa(), value.scale())
}

/// `mantissa` · 10^-`scale`, with trailing zeros taken off.
fn build(mut mantissa: i128, mut scale: u32) -> Exact {
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| Inexact)
}

fn at_scale((mantissa, scale): (i128, u32), target: u32) -> Option<i128> {
    mantissa.checked_mul(10_i128.checked_pow(target.checked_sub(scale)?)?)
}

/// a + b, exactly.
pub fn add(a: Decimal, b: Decimal) -> Exact {
    let (a, b) = (parts(a), parts(b));
    let scale = a.1.max(b.1);
    let sum = at_scale(a, scale).zip(at_scale(b, scale)).and_then(|(a, b)| a.checked_add(b));
    build(sum.ok_or(Inexact)?, scale)
}

/// a − b, exactly.
pub fn sub(a: Decimal, b: Decimal) -> Exact {
    add(a, -b)
}

/// a · b, exactly.
pub fn mul(a: Decimal, b: Decimal) -> Exact {
    let (a, b) = (parts(a), parts(b));
    build(a.0.checked_mul(b.0).ok_or(Inexact)?, a.1 + b.1)
}

/// The product of all, exactly.
pub fn product(factors: &[Decimal]) -> Exact {
    factors.iter().try_fold(Decimal::ONE, |product, factor| mul(product, *factor))
}

/// The sum of all, exactly.
pub fn sum(values: impl IntoIterator<Item = Decimal>) -> Exact {
    values.into_iter().try_fold(Decimal::ZERO, add)
}

/// a / b to 28 significant digits; none for b = 0 or a result that does not fit.
pub fn ratio(a: Decimal, b: Decimal) -> Option<Decimal> {
    a.checked_div(b).map(|quotient| quotient.normalize())
}

/// a · b where one of them is a ratio already, so that the last digit may be rounded.
pub fn scale(a: Decimal, b: Decimal) -> Option<Decimal> {
    a.checked_mul(b).map(|product| product.normalize())
}

/// √(Σ value² / over), where small values keep their digits: squares of millionths would lose most of theirs.
pub fn root_mean_square(values: &[Decimal], over: Decimal) -> Option<Decimal> {
    let mut largest = values.iter().map(Decimal::abs).max().unwrap_or_default();
    let mut zoom = Decimal::ONE;
    while !largest.is_zero() && largest < Decimal::ONE && zoom.mantissa() < 10_i128.pow(20) {
        largest = largest.checked_mul(Decimal::TEN)?;
        zoom = zoom.checked_mul(Decimal::TEN)?;
    }
    let squares = values.iter().try_fold(Decimal::ZERO, |sum, value| {
        let value = value.checked_mul(zoom)?;
        sum.checked_add(value.checked_mul(value)?)
    });
    ratio(sqrt(ratio(squares?, over)?)?, zoom)
}

/// The square root, to 27 significant digits or so; none for a negative number.
pub fn sqrt(value: Decimal) -> Option<Decimal> {
    if value.is_sign_negative() && !value.is_zero() {
        return None;
    }
    if value.is_zero() {
        return Some(Decimal::ZERO);
    }
    // An integer root of the digits first, then Newton on the decimal, which doubles the correct digits each time.
    let (mut mantissa, mut scale) = parts(value);
    while (scale % 2 == 1 || mantissa < 10_i128.pow(26)) && scale < 56 {
        mantissa = mantissa.checked_mul(10)?;
        scale += 1;
    }
    let mut root =
        Decimal::try_from_i128_with_scale(i128::try_from(mantissa.unsigned_abs().isqrt()).ok()?, scale / 2).ok()?;
    for _ in 0..3 {
        root = value.checked_div(root)?.checked_add(root)?.checked_div(Decimal::TWO)?;
    }
    Some(root.normalize())
}

/// Splits `total` by `weights` (none negative) by largest remainder: the parts sum to it exactly.
///
/// Parts keep sixteen places, or the total's own when it has more. Equal remainders go to the earlier part.
///
/// # Errors
/// When the weights sum to zero or a part cannot be held.
pub fn split(total: Decimal, weights: &[Decimal]) -> Result<Vec<Decimal>, Inexact> {
    if let [_] = weights {
        return Ok(vec![total]);
    }
    let places = weights.iter().map(|weight| parts(*weight).1).max().unwrap_or(0);
    let weights: Vec<u128> = weights
        .iter()
        .map(|weight| at_scale(parts(*weight), places).and_then(|units| u128::try_from(units).ok()))
        .collect::<Option<_>>()
        .ok_or(Inexact)?;
    let whole = weights.iter().try_fold(0_u128, |sum, weight| sum.checked_add(*weight)).ok_or(Inexact)?;
    if whole == 0 {
        return Err(Inexact);
    }
    let places = parts(total).1.max(SHARE_PLACES);
    let units = at_scale(parts(total), places).ok_or(Inexact)?;
    let mut shares: Vec<(u128, u128)> = weights
        .iter()
        .map(|weight| mul_div(units.unsigned_abs(), *weight, whole))
        .collect::<Option<_>>()
        .ok_or(Inexact)?;
    let given: u128 = shares.iter().map(|(share, _)| share).sum();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(shares[*i].1));
    // Floors miss the total by less than one unit a part.
    for i in order.into_iter().take(usize::try_from(units.unsigned_abs() - given).map_err(|_| Inexact)?) {
        shares[i].0 += 1;
    }
    shares
        .into_iter()
        .map(|(share, _)| build(units.signum() * i128::try_from(share).map_err(|_| Inexact)?, places))
        .collect()
}

/// ⌊a · b / c⌋ and the remainder, through a product of 256 bits. `b` ≤ `c`, so the quotient is at most `a`.
fn mul_div(a: u128, b: u128, c: u128) -> Option<(u128, u128)> {
    if c >= 1 << 126 || b > c {
        return None;
    }
    // Shift-and-add over the bits of `a`, reducing as it goes: quotient · c + remainder = prefix · b, always.
    let (mut quotient, mut remainder) = (0_u128, 0_u128);
    for bit in (0..u128::BITS - a.leading_zeros()).rev() {
        quotient = quotient.checked_mul(2)?;
        remainder = remainder * 2 + if a >> bit & 1 == 1 { b } else { 0 };
        quotient += remainder / c;
        remainder %= c;
    }
    Some((quotient, remainder))
}

/// Reads a plain JSON number: digits, an optional fraction, an optional exponent. Exact, or none.
pub fn parse(text: &str) -> Option<Decimal> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || fraction.is_some_and(|fraction| !plain(fraction)) {
        return None;
    }
    let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let fraction = fraction.unwrap_or("");
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let mut mantissa: i128 = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    let mut scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
    if mantissa == 0 {
        scale = scale.clamp(0, 28);
    }
    if scale < 0 {
        mantissa = mantissa.checked_mul(10_i128.checked_pow(u32::try_from(-scale).ok()?)?)?;
        scale = 0;
    }
    let mantissa = if negative { -mantissa } else { mantissa };
    let scale = u32::try_from(scale).ok()?;
    // `175.50` keeps its zero where it fits; where it does not, the same value without it.
    Decimal::try_from_i128_with_scale(mantissa, scale).ok().or_else(|| build(mantissa, scale).ok())
}

/// Rounds half away from zero, as money is shown: 2.675 → 2.68.
pub fn half_up(value: Decimal, places: u32) -> Decimal {
    let mut rounded = value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(places);
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        parse(text).expect("a decimal")
    }

    #[test]
    fn a_product_is_exact_or_an_error() {
        assert_eq!(mul(d("175.50"), d("10")), Ok(d("1755")));
        assert_eq!(mul(d("0.00000000000001"), d("0.00000000000001")), Ok(d("1e-28")));
        assert_eq!(mul(d("0.000000000000001"), d("0.00000000000001")), Err(Inexact), "29 places");
        assert_eq!(mul(d("79228162514264337593543950335"), d("10")), Err(Inexact));
        assert_eq!(add(d("79228162514264337593543950335"), d("0.1")), Err(Inexact));
        assert_eq!(add(d("0.1"), d("0.2")), Ok(d("0.3")));
    }

    #[test]
    fn shares_sum_exactly() {
        let thirds = split(d("1"), &[d("1"), d("1"), d("1")]).expect("a split");
        assert_eq!(thirds, [d("0.3333333333333334"), d("0.3333333333333333"), d("0.3333333333333333")]);
        assert_eq!(split(d("1.5"), &[d("3"), d("1")]), Ok(vec![d("1.125"), d("0.375")]));
        assert_eq!(split(d("-1.5"), &[d("3"), d("1")]), Ok(vec![d("-1.125"), d("-0.375")]));
        assert_eq!(split(d("0.1234567890123456789"), &[d("5")]), Ok(vec![d("0.1234567890123456789")]));
    }

    #[test]
    fn a_number_is_read_as_it_stands_or_not_at_all() {
        assert_eq!(d("175.50").to_string(), "175.50");
        assert_eq!(d("1.5e3"), d("1500"));
        assert_eq!(d("15E-1"), d("1.5"));
        for bad in ["1,234.50", "NaN", "", "-", "1e999999999", "0x10", "1.", ".5", " 1", "1_000", "∞", "1e400"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse("0.00000000000000000000000000001"), None, "29 places are not rounded");
    }

    #[test]
    fn money_is_shown_half_up() {
        assert_eq!(half_up(d("2.675"), 2).to_string(), "2.68");
        assert_eq!(half_up(d("-2.675"), 2).to_string(), "-2.68");
        assert_eq!(half_up(d("5"), 2).to_string(), "5.00");
        assert_eq!(half_up(d("2.5"), 0).to_string(), "3");
    }

    #[test]
    fn a_root_squared_is_the_number() {
        assert_eq!(sqrt(d("252")).map(|root| root.round_dp(20)), Some(d("15.87450786638754354301")));
        assert_eq!(sqrt(d("0.0004")), Some(d("0.02")));
        assert_eq!(sqrt(d("0")), Some(d("0")));
        assert_eq!(sqrt(d("-1")), None);
    }

    #[test]
    fn a_mean_square_of_small_values_keeps_their_digits() {
        // Σ = (3² + 4²)·10⁻²², so the root over 1 is 5·10⁻¹¹.
        assert_eq!(root_mean_square(&[d("0.00000000003"), d("-0.00000000004")], d("1")), Some(d("0.00000000005")));
        // The square itself has more than 28 places.
        let small = d("0.00000000001234567890123456");
        assert_eq!(root_mean_square(&[small], d("1")).map(|root| root.round_dp(26)), Some(small));
        assert_eq!(
            root_mean_square(&[d("3"), d("4")], d("2")).map(|root| root.round_dp(12)),
            Some(d("3.535533905933"))
        );
        assert_eq!(root_mean_square(&[d("0")], d("2")), Some(d("0")));
        assert_eq!(root_mean_square(&[d("1")], d("0")), None);
    }

    proptest! {
        #[test]
        fn any_split_sums_and_no_part_is_a_unit_off(
            total in -1_000_000_000_000_i64..1_000_000_000_000, weights in prop::collection::vec(0_u64..1_000_000, 1..9)
        ) {
            let total = Decimal::new(total, 6);
            let whole: u64 = weights.iter().sum();
            let decimals: Vec<Decimal> = weights.iter().map(|weight| Decimal::from(*weight)).collect();
            match split(total, &decimals) {
                Ok(parts) => {
                    prop_assert_eq!(sum(parts.iter().copied()), Ok(total));
                    if whole > 0 {
                        for (part, weight) in parts.iter().zip(&decimals) {
                            let fair = total * weight / Decimal::from(whole);
                            prop_assert!((part - fair).abs() <= Decimal::new(1, 12));
                        }
                    }
                }
                Err(Inexact) => prop_assert_eq!(whole, 0),
            }
        }

        #[test]
        fn any_text_reads_or_does_not(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
