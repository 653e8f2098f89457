//! Pairs of features whose relation changed although each feature on its own is stable.
//!
//! Marginals can stay put while their relations break: a normalisation shared by several features, two columns swapped. Never counted
//! in the share of drifted features.

use super::correction::benjamini_hochberg;
use super::policy::Policy;
use crate::feature::FeatureName;
use crate::statistic::joint::PairComparison;

/// The false discovery rate over all pairs. Stricter than the features': there are many pairs, every window tests them, and a remark
/// that is wrong every twentieth time is not read.
pub const ALPHA: f64 = 0.01;

/// A correlation that changes by less is not worth a word (STATISTICS.md, section 8).
pub const SMALLEST_CHANGE: f64 = 0.2;

/// Two features whose relation was compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair<'a> {
    pub a: &'a FeatureName,
    pub b: &'a FeatureName,
    pub comparison: PairComparison,
}

/// What became of the relations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JointDrift<'a> {
    /// Pairs that were tested: both features stable, with enough rows.
    pub tested: usize,
    /// Those that changed, with their q-values, the largest change first.
    pub changed: Vec<(Pair<'a>, f64)>,
}

/// Judges all pairs together. `is_stable` says of a feature whether it is on its own.
pub fn judge_pairs<'a>(
    pairs: impl Iterator<Item = Pair<'a>>,
    is_stable: impl Fn(&FeatureName) -> bool,
    policy: &Policy,
) -> JointDrift<'a> {
    let enough = |pair: &Pair<'_>| {
        let effective = pair.comparison.effective;
        effective.reference >= policy.min_effective_rows && effective.current >= policy.min_effective_rows
    };
    let tested: Vec<Pair<'a>> = pairs.filter(|pair| is_stable(pair.a) && is_stable(pair.b) && enough(pair)).collect();
    let p_values: Vec<f64> = tested.iter().map(|pair| pair.comparison.p_value).collect();
    let mut changed: Vec<(Pair<'a>, f64)> = tested
        .iter()
        .copied()
        .zip(benjamini_hochberg(&p_values))
        .filter(|(pair, q_value)| *q_value < ALPHA && pair.comparison.change() >= SMALLEST_CHANGE)
        .collect();
    // Stable: pairs that changed by the same keep the order of their features.
    changed.sort_by(|(a, _), (b, _)| b.comparison.change().total_cmp(&a.comparison.change()));
    JointDrift { tested: tested.len(), changed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::Sizes;

    fn comparison(reference: f64, current: f64, p_value: f64) -> PairComparison {
        PairComparison { reference, current, effective: Sizes { reference: 613.0, current: 300.0 }, p_value }
    }

    #[test]
    fn a_pair_changed_when_it_is_significant_and_material_and_its_features_are_stable() {
        let names = ["a", "b", "c", "d"].map(FeatureName::new);
        let [a, b, c, d] = &names;
        let pairs = [
            Pair { a, b, comparison: comparison(0.8, 0.1, 1e-9) },
            Pair { a, b: c, comparison: comparison(0.8, 0.7, 1e-9) },
            Pair { a, b: d, comparison: comparison(0.8, 0.1, 1e-9) },
            Pair { a: b, b: c, comparison: comparison(0.3, 0.0, 0.02) },
        ];
        let found = judge_pairs(pairs.into_iter(), |name| name.as_str() != "d", &Policy::default());
        assert_eq!(found.tested, 3);
        assert_eq!(found.changed.iter().map(|(pair, _)| (pair.a.as_str(), pair.b.as_str())).collect::<Vec<_>>(), [("a", "b")]);
    }

    #[test]
    fn few_rows_are_not_tested() {
        let names = ["a", "b"].map(FeatureName::new);
        let few = PairComparison { effective: Sizes { reference: 613.0, current: 9.0 }, ..comparison(0.9, -0.9, 1e-9) };
        let pair = Pair { a: &names[0], b: &names[1], comparison: few };
        assert_eq!(judge_pairs([pair].into_iter(), |_| true, &Policy::default()), JointDrift::default());
    }

    #[test]
    fn pairs_are_told_by_their_change_and_every_limit_is_on_its_own_side() {
        let names = ["a", "b", "c"].map(FeatureName::new);
        let [a, b, c] = &names;
        let sized = |reference, current| PairComparison { effective: Sizes { reference, current }, ..comparison(0.5, 0.0, 1e-9) };
        let tested = |comparison| judge_pairs([Pair { a, b, comparison }].into_iter(), |_| true, &Policy::default());
        assert_eq!(
            (tested(sized(10.0, 10.0)).tested, tested(sized(9.9, 300.0)).tested, tested(sized(613.0, 9.9)).tested),
            (1, 0, 0)
        );
        // A q-value of exactly α, and a change of exactly the smallest that matters.
        assert!(tested(comparison(0.8, 0.1, ALPHA)).changed.is_empty());
        assert_eq!(tested(comparison(0.2, 0.0, 1e-9)).changed.len(), 1);
        assert!(tested(comparison(0.8, 0.7, 0.5)).changed.is_empty());
        let unstable = |name: &str| {
            judge_pairs(
                [Pair { a, b, comparison: comparison(0.8, 0.1, 1e-9) }].into_iter(),
                |known| known.as_str() != name,
                &Policy::default(),
            )
        };
        assert_eq!((unstable("a").tested, unstable("b").tested, unstable("c").tested), (0, 0, 1));
        let pairs =
            [Pair { a, b, comparison: comparison(0.5, 0.1, 1e-9) }, Pair { a, b: c, comparison: comparison(0.5, -0.4, 1e-8) }];
        let found = judge_pairs(pairs.into_iter(), |_| true, &Policy::default());
        // By Benjamini and Hochberg: 10⁻⁸, and 2·10⁻⁹.
        let told: Vec<(&str, f64)> = found.changed.iter().map(|(pair, q_value)| (pair.b.as_str(), *q_value)).collect();
        assert_eq!(told.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["c", "b"]);
        assert!((told[0].1 / 1e-8 - 1.0).abs() < 1e-12 && (told[1].1 / 2e-9 - 1.0).abs() < 1e-12, "{told:?}");
    }
}
