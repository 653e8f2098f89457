//! Drifts that are put into the logs: `FEATURE:+0.5sd`, `FEATURE:-0.1`, `FEATURE:*1.2`.

use chrono::{DateTime, Utc};

use super::plan::Plan;
use crate::error::JobError;
use crate::ingest::sink::shifted::{Change, Shift};
use crate::profile::{FeatureProfile, ReferenceProfile};
use crate::report::backtest::Injected;
use crate::report::printable;

const GRAMMAR: &str = "write FEATURE:+0.5sd (so many standard deviations of the reference), FEATURE:+0.1 or FEATURE:-0.1 (in the feature's \
                       own units) or FEATURE:*1.2 (a factor)";

/// How values are changed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Amount {
    Deviations(f64),
    Units(f64),
    Factor(f64),
}

fn amount(text: &str) -> Option<Amount> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    if let Some(factor) = text.strip_prefix('*') {
        let is_plain = factor.starts_with(|first: char| first.is_ascii_digit() || first == '.' || first == '-');
        return number(factor).filter(|factor| is_plain && (factor - 1.0).abs() > 0.0).map(Amount::Factor);
    }
    // A sign says that something is added; without one, a new value could be meant.
    let signed = text.starts_with(['+', '-']).then_some(text)?;
    match signed.strip_suffix("sd") {
        Some(deviations) => number(deviations).filter(|number| number.abs() > 0.0).map(Amount::Deviations),
        None => number(signed).filter(|number| number.abs() > 0.0).map(Amount::Units),
    }
}

/// What the command line asks for, over the columns of the profile.
pub fn of(
    asked: &[String],
    at: Option<DateTime<Utc>>,
    plan: &Plan,
    profile: &ReferenceProfile,
) -> Result<(Shift, Vec<Injected>), JobError> {
    let at = at.unwrap_or_else(|| plan.middle());
    if !asked.is_empty() && !plan.range.contains(at) {
        let message = format!("--inject-at {at} is not in the range from {} to {}", plan.range.start, plan.range.end);
        return Err(JobError::Usage(message));
    }
    let mut shift = Shift { changes: Vec::new(), from_us: at.timestamp_micros() };
    let mut injected: Vec<Injected> = Vec::new();
    for text in asked {
        let shown = printable(text);
        let refuse = |why: &str| JobError::Usage(format!("--inject {shown}: {why}"));
        // A name may have colons, an amount has none.
        let (name, change) = text.rsplit_once(':').ok_or_else(|| refuse(GRAMMAR))?;
        let amount = amount(change.trim()).ok_or_else(|| refuse(GRAMMAR))?;
        let column = profile.features.iter().position(|(known, _)| known.as_str() == name);
        let found = column.and_then(|column| Some((column, profile.features.get(column)?)));
        let Some((column, (feature, side))) = found else {
            let names: Vec<&str> = profile.features.iter().map(|(name, _)| name.as_str()).collect();
            return Err(refuse(&printable(&format!("there is no feature `{name}`: the features are {}", names.join(", ")))));
        };
        let FeatureProfile::Numeric { reference, .. } = side else {
            return Err(refuse("the feature is categorical, and nothing can be added to it: choose a numeric one"));
        };
        if injected.iter().any(|injected| injected.feature == *feature) {
            return Err(refuse("the feature is named a second time: write one change of each"));
        }
        let (scale, added) = match amount {
            Amount::Factor(factor) => (factor, 0.0),
            Amount::Units(units) => (1.0, units),
            Amount::Deviations(deviations) => {
                let std = reference.moments.std().filter(|std| *std > 0.0);
                let std =
                    std.ok_or_else(|| refuse("the feature does not vary in the reference: write what is added in its own units"))?;
                (1.0, deviations * std)
            }
        };
        shift.changes.push(Change { column, scale, shift: added });
        injected.push(Injected { feature: feature.clone(), change: change.trim().to_owned(), added, scaled: scale, at });
    }
    Ok((shift, injected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_a_sign_or_a_factor() {
        assert_eq!(amount("+0.5sd"), Some(Amount::Deviations(0.5)));
        assert_eq!(amount("-2sd"), Some(Amount::Deviations(-2.0)));
        assert_eq!((amount("+0.1"), amount("-1e3")), (Some(Amount::Units(0.1)), Some(Amount::Units(-1000.0))));
        assert_eq!(amount("*1.2"), Some(Amount::Factor(1.2)));
        for text in
            ["", "0.5", "0.5sd", "+", "+sd", "+0sd", "+0", "*1", "*", "*1.2sd", "+infsd", "+nan", "x", "++1", "+1 sd", "*+2"]
        {
            assert_eq!(amount(text), None, "{text}");
        }
    }
}
