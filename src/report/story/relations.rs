//! What features say together, in words.

use super::visible;
use crate::report::CauseSection;

/// More names do not fit a sentence.
const NAMES_SHOWN: usize = 6;

/// `a, b and c move together in the reference (correlation 0.91 or more): one probable cause`.
pub fn cause_sentence(cause: &CauseSection) -> String {
    let names: Vec<String> = cause.features.iter().take(NAMES_SHOWN).map(|name| visible(name.as_str())).collect();
    let more = cause.features.len() - names.len();
    let names = match names.as_slice() {
        _ if more > 0 => format!("{} and {more} more", names.join(", ")),
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.join(", "),
    };
    // Rounded down: "or more" must stay true.
    let correlation = (cause.correlation * 100.0).floor() / 100.0;
    format!("{names} move together in the reference (correlation {correlation:.2} or more): one probable cause")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::FeatureName;

    #[test]
    fn a_cause_is_one_sentence_however_many_features_it_has() {
        let of = |count: usize| {
            let features = (0..count).map(|index| FeatureName::new(format!("f{index}"))).collect();
            cause_sentence(&CauseSection { features, correlation: 0.915 })
        };
        assert_eq!(of(2), "f0 and f1 move together in the reference (correlation 0.91 or more): one probable cause");
        assert!(of(3).starts_with("f0, f1 and f2 move"));
        assert!(of(9).starts_with("f0, f1, f2, f3, f4, f5 and 3 more move"));
    }

    #[test]
    fn as_many_names_as_fit_are_all_told() {
        let features = ["a", "b", "c", "d", "e", "f"].map(FeatureName::new).to_vec();
        let told = cause_sentence(&CauseSection { features, correlation: 0.7 });
        assert_eq!(told, "a, b, c, d, e and f move together in the reference (correlation 0.70 or more): one probable cause");
    }
}
