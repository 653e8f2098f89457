//! The verdict on the data set from the verdicts on its features.

use super::{DatasetVerdict, Verdict};

/// How many features have which verdict, and what that makes of the data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DatasetDecision {
    pub verdict: DatasetVerdict,
    pub drifted: u32,
    pub broken: u32,
    pub inconclusive: u32,
    /// All configured features: always the denominator.
    pub configured: u32,
    /// `(drifted + broken) / configured`, in [0, 1]; 0 when nothing is configured.
    pub share: f64,
    /// The share above which the verdict is drift.
    pub threshold: f64,
}

/// Decides. `window_rows` is the number of rows in the window: none is `no-data`, whatever the features say.
///
/// - `drift` when `share > threshold`, strictly: with 0.30, 5 of 16 fire and 4 do not;
/// - else `inconclusive` when the inconclusive features could still carry the share above it;
/// - else `stable`.
pub fn decide(verdicts: &[Verdict], threshold: f64, window_rows: u64) -> DatasetDecision {
    let count = |wanted: Verdict| u32::try_from(verdicts.iter().filter(|&&verdict| verdict == wanted).count()).unwrap_or(u32::MAX);
    let configured = u32::try_from(verdicts.len()).unwrap_or(u32::MAX);
    let (drifted, broken, inconclusive) = (count(Verdict::Drift), count(Verdict::Broken), count(Verdict::Inconclusive));
    let share_of = |features: u32| if configured == 0 { 0.0 } else { f64::from(features) / f64::from(configured) };
    let share = share_of(drifted + broken);
    let verdict = if window_rows == 0 {
        DatasetVerdict::NoData
    } else if share > threshold {
        DatasetVerdict::Drift
    } else if configured == 0 || share_of(drifted + broken + inconclusive) > threshold {
        // Without a feature nothing was compared, and "stable" would be a claim.
        DatasetVerdict::Inconclusive
    } else {
        DatasetVerdict::Stable
    };
    DatasetDecision { verdict, drifted, broken, inconclusive, configured, share, threshold }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(drift: usize, broken: usize, inconclusive: usize, stable: usize) -> Vec<Verdict> {
        let groups =
            [(Verdict::Drift, drift), (Verdict::Broken, broken), (Verdict::Inconclusive, inconclusive), (Verdict::Stable, stable)];
        groups.into_iter().flat_map(|(verdict, count)| std::iter::repeat_n(verdict, count)).collect()
    }

    #[test]
    fn five_of_sixteen_fire_and_four_do_not() {
        assert_eq!(decide(&features(5, 0, 0, 11), 0.30, 100).verdict, DatasetVerdict::Drift);
        assert_eq!(decide(&features(4, 0, 0, 12), 0.30, 100).verdict, DatasetVerdict::Stable);
        assert_eq!(decide(&features(3, 2, 0, 11), 0.30, 100).verdict, DatasetVerdict::Drift);
        // Strictly above: exactly the threshold does not fire.
        assert_eq!(decide(&features(3, 0, 0, 7), 0.30, 100).verdict, DatasetVerdict::Stable);
    }

    #[test]
    fn inconclusive_features_matter_only_when_they_could_decide() {
        assert_eq!(decide(&features(4, 0, 1, 11), 0.30, 100).verdict, DatasetVerdict::Inconclusive);
        assert_eq!(decide(&features(0, 0, 4, 12), 0.30, 100).verdict, DatasetVerdict::Stable);
        assert_eq!(decide(&features(5, 0, 11, 0), 0.30, 100).verdict, DatasetVerdict::Drift);
    }

    #[test]
    fn no_row_is_never_stable() {
        assert_eq!(decide(&features(0, 0, 0, 16), 0.30, 0).verdict, DatasetVerdict::NoData);
        assert_eq!(decide(&features(0, 16, 0, 0), 0.30, 0).verdict, DatasetVerdict::NoData);
        assert_eq!(decide(&[], 0.30, 100).verdict, DatasetVerdict::Inconclusive);
    }

    #[test]
    fn every_verdict_is_counted_and_the_share_is_of_all_features() {
        let decision = decide(&features(3, 2, 4, 11), 0.30, 100);
        let expected = DatasetDecision {
            verdict: DatasetVerdict::Inconclusive,
            drifted: 3,
            broken: 2,
            inconclusive: 4,
            configured: 20,
            share: 0.25,
            threshold: 0.30,
        };
        assert_eq!(decision, expected);
        // The inconclusive ones would carry it to the threshold, and not above it.
        assert_eq!(decide(&features(1, 1, 2, 4), 0.50, 100).verdict, DatasetVerdict::Stable);
        assert_eq!(decide(&features(1, 1, 3, 3), 0.50, 100).verdict, DatasetVerdict::Inconclusive);
        assert_eq!(decide(&[], 0.30, 100).share.to_bits(), 0);
    }
}
