//! Figures as people read them. Rounded half-up here and nowhere else.

use super::decimal::half_up;
use chrono_tz::Tz;
use flywheel_events::stamp::Stamp;
use rust_decimal::Decimal;

/// Decimal places of a currency's minor unit (ISO 4217); coins that trade like dollars have two, other codes eight.
fn minor_places(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "BTC" | "ETH" | "BNB" | "SOL" | "XBT" => 8,
        _ => 2,
    }
}

fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn unsigned(value: Decimal, currency: &str) -> String {
    let text = grouped(&half_up(value.abs(), minor_places(currency)).to_string());
    match currency {
        "USD" => format!("${text}"),
        "EUR" => format!("€{text}"),
        "GBP" => format!("£{text}"),
        "JPY" => format!("¥{text}"),
        other => format!("{text} {other}"),
    }
}

fn rounds_to_zero(value: Decimal, currency: &str) -> bool {
    half_up(value, minor_places(currency)).is_zero()
}

/// `$1,234.50`, `-$0.70`, `¥300`, `12.00 CHF`.
pub fn money(value: Decimal, currency: &str) -> String {
    let minus = value.is_sign_negative() && !rounds_to_zero(value, currency);
    format!("{}{}", if minus { "-" } else { "" }, unsigned(value, currency))
}

/// As [`money`], with a plus before a gain.
pub fn signed_money(value: Decimal, currency: &str) -> String {
    let plus = value.is_sign_positive() && !rounds_to_zero(value, currency);
    format!("{}{}", if plus { "+" } else { "" }, money(value, currency))
}

/// A ratio in percent: `66.7 %`.
pub fn percent(ratio: Decimal) -> String {
    let value = ratio.checked_mul(Decimal::ONE_HUNDRED).unwrap_or(ratio);
    let one = half_up(value, 1);
    format!("{} %", one.normalize())
}

/// A ratio in percent with two places and its sign: `+1.42 %`.
pub fn signed_percent(ratio: Decimal) -> String {
    let value = half_up(ratio.checked_mul(Decimal::ONE_HUNDRED).unwrap_or(ratio), 2);
    match (value.is_zero(), value.is_sign_negative()) {
        (true, _) => "0.00 %".into(),
        (_, true) => format!("{value} %"),
        _ => format!("+{value} %"),
    }
}

/// A price or quantity: every digit of an input, an average to six places.
pub fn number(value: Decimal) -> String {
    let rounded = if value.scale() > 8 { half_up(value, 6) } else { value };
    let text = rounded.normalize().to_string();
    text.strip_prefix('-').map_or_else(|| grouped(&text), |digits| format!("-{}", grouped(digits)))
}

/// A price: at least two places.
pub fn price(value: Decimal) -> String {
    let mut value = if value.scale() > 8 { half_up(value, 6).normalize() } else { value.normalize() };
    if value.scale() < 2 {
        value.rescale(2);
    }
    let text = value.to_string();
    text.strip_prefix('-').map_or_else(|| grouped(&text), |digits| format!("-{}", grouped(digits)))
}

/// `45 s`, `12 min`, `1 h 30 min`, `3 d 4 h`.
pub fn duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |first: String, second: i64, unit: &str| {
        if second == 0 { first } else { format!("{first} {second} {unit}") }
    };
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => two(format!("{minutes} min"), seconds % 60, "s"),
        3600..86_400 => two(format!("{hours} h"), minutes % 60, "min"),
        _ => two(format!("{days} d"), hours % 24, "h"),
    }
}

/// `2025-12-02 14:30` in the session's zone.
pub fn time(stamp: Stamp, tz: Tz) -> String {
    stamp.with_timezone(&tz).format("%Y-%m-%d %H:%M").to_string()
}

/// `1 trade`, `2 trades`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_as_people_read_them() {
        let d = |text: &str| text.parse::<Decimal>().expect("a decimal");
        for (value, currency, expected) in [
            ("2.675", "USD", "$2.68"),
            ("-1234567.5", "USD", "-$1,234,567.50"),
            ("299.5", "JPY", "¥300"),
            ("-0.001", "EUR", "€0.00"),
            ("1.23456", "KWD", "1.235 KWD"),
        ] {
            assert_eq!(money(d(value), currency), expected);
        }
        assert_eq!(signed_money(d("75"), "USD"), "+$75.00");
        assert_eq!(signed_money(d("0"), "USD"), "$0.00");
        assert_eq!(signed_percent(d("-0.01425")), "-1.43 %");
        assert_eq!((price(d("175.5")), price(d("0.00012345"))), ("175.50".into(), "0.00012345".into()));
        for (seconds, expected) in
            [(0, "0 s"), (90, "1 min 30 s"), (2700, "45 min"), (5400, "1 h 30 min"), (100_800, "1 d 4 h")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }
}
