//! The policy: every threshold that turns measurements into verdicts.

use std::collections::BTreeMap;

use super::Rule;
use crate::feature::FeatureName;

/// Thresholds, and how they are combined.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The share of drifted and broken features above which (strictly) the data set drifts; in [0, 1).
    pub share: f64,
    /// The false discovery rate of the features' tests; in (0, 1).
    pub alpha: f64,
    /// The adjusted PSI from which a significant change is drift; above 0.
    pub psi_drift: f64,
    /// The adjusted PSI from which a significant change is a warning; not above `psi_drift`.
    pub psi_warning: f64,
    /// A feature is stable only if a drift of this PSI would have been detected; above 0.
    pub psi_unseen: f64,
    pub rule: Rule,
    /// Below this many effective rows on either side a feature is inconclusive.
    pub min_effective_rows: f64,
    /// The relations between numeric features are compared up to this many of them.
    pub joint_features: usize,
    /// Thresholds of single features.
    pub overrides: BTreeMap<FeatureName, Materiality>,
}

/// How large a change must be to matter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Materiality {
    pub psi_drift: Option<f64>,
    pub psi_warning: Option<f64>,
}

impl Default for Policy {
    /// The published defaults (STATISTICS.md, section 4).
    fn default() -> Self {
        Self {
            share: 0.30,
            alpha: 0.05,
            psi_drift: 0.10,
            psi_warning: 0.05,
            psi_unseen: 1.0,
            rule: Rule::SignificantAndMaterial,
            min_effective_rows: 10.0,
            joint_features: 64,
            overrides: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// The adjusted PSI from which a change of this feature is a warning, and from which it is drift.
    pub fn psi_thresholds(&self, name: &FeatureName) -> (f64, f64) {
        let own = self.overrides.get(name).copied().unwrap_or_default();
        let drift = own.psi_drift.unwrap_or(self.psi_drift);
        (own.psi_warning.unwrap_or(self.psi_warning.min(drift)), drift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_thresholds_of_a_feature_come_first() {
        let with = |psi_drift, psi_warning| {
            let mut policy = Policy::default();
            policy.overrides.insert(FeatureName::new("a"), Materiality { psi_drift, psi_warning });
            policy
        };
        let of = |policy: &Policy, name: &str| policy.psi_thresholds(&FeatureName::new(name));
        assert_eq!(of(&with(Some(0.5), Some(0.4)), "a"), (0.4, 0.5));
        assert_eq!(of(&with(Some(0.5), Some(0.4)), "b"), (0.05, 0.10));
        // A warning is not later than drift.
        assert_eq!(of(&with(Some(0.02), None), "a"), (0.02, 0.02));
        assert_eq!(of(&with(None, Some(0.07)), "a"), (0.07, 0.10));
    }
}
