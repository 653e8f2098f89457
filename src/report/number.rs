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

    #[test]
    fn each_magnitude_has_its_decimals() {
        let shown = [1_234_567.4, 1_200.4, 123.456, 12.3456, 1.234_56, 0.123_456, 0.012_345_6, 0.001_234_56, 0.000_123_456];
        let expected = ["1234567", "1200", "123.5", "12.35", "1.235", "0.1235", "0.01235", "0.001235", "1.235e-4"];
        assert_eq!(shown.map(format_value), expected);
        assert_eq!(shown.map(|value| format_value(-value)), expected.map(|text| format!("-{text}")));
        assert_eq!(
            [1_000.0, 100.0, 0.001, 9_999_999.0, 1e7, 2e10].map(format_value),
            ["1000", "100", "0.001", "9999999", "1e7", "2e10"]
        );
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0].map(format_value), ["n/a", "n/a", "n/a", "0"]);
    }

    #[test]
    fn the_ends_of_what_is_written_out_are_exact() {
        assert_eq!(
            [9e-301, 1e-300, 0.000_99, 0.001, 0.099_9, 0.1].map(format_p_value),
            ["<1e-300", "1e-300", "1e-3", "0.001", "0.100", "0.10"]
        );
        assert_eq!([0.000_999, 0.001, 0.2, -0.0004, -0.25].map(format_percent), ["<0.1 %", "0.1 %", "20 %", "-0 %", "-25 %"]);
        assert_eq!([12, 123_456, 1_000_000].map(format_count), ["12", "123,456", "1,000,000"]);
    }
}
