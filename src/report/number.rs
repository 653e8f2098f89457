//! Numbers as people read them, the same in every rendering.

/// A value in a feature's own units: four significant digits, scientific where plain notation would hide them.
pub fn format_value(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    if !(1e-3..1e7).contains(&magnitude) {
        return trim_exponent(&format!("{value:.3e}"));
    }
    if magnitude >= 1_000.0 && value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let decimals = match magnitude {
        m if m >= 1_000.0 => 0,
        m if m >= 100.0 => 1,
        m if m >= 10.0 => 2,
        m if m >= 1.0 => 3,
        m if m >= 0.1 => 4,
        m if m >= 0.01 => 5,
        _ => 6,
    };
    trim_zeros(&format!("{value:.decimals$}"))
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

fn trim_exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim_zeros(mantissa)),
        None => text.to_owned(),
    }
}

/// A probability: two significant digits, `<1e-300` below what a double holds.
pub fn format_p_value(p: f64) -> String {
    match p {
        p if p < 1e-300 => "<1e-300".to_owned(),
        p if p < 0.001 => format!("{p:.0e}"),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

/// A fraction in percent: one decimal below 10 %, none where it would be zero.
pub fn format_percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent > 0.0 && percent < 0.1 {
        return "<0.1 %".to_owned();
    }
    format!("{} %", trim_zeros(&format!("{percent:.1}")))
}

/// A count with thin groups: `1,234,567`.
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_four_significant_digits() {
        let shown: Vec<String> =
            [0.0, 1.0, 0.123_456, 12.3456, 1234.56, 1_234_567.0, 12_345_678.0, 0.000_012_3, -3.5, 0.05].map(format_value).into();
        assert_eq!(shown, ["0", "1", "0.1235", "12.35", "1235", "1234567", "1.235e7", "1.23e-5", "-3.5", "0.05"]);
    }

    #[test]
    fn probabilities_percents_and_counts_read_well() {
        assert_eq!([0.0, 1e-12, 0.0123, 0.5, 1.0].map(format_p_value), ["<1e-300", "1e-12", "0.012", "0.50", "1.00"]);
        assert_eq!([0.0, 0.0004, 0.0123, 0.375, 1.0].map(format_percent), ["0 %", "<0.1 %", "1.2 %", "37.5 %", "100 %"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(format_count), ["0", "999", "1,000", "1,234,567"]);
    }
}
