//! What a feature's comparison can see, in words: the smallest drift that would have been found, and the rows that the policy's takes.

use super::Rule;
use super::policy::Policy;
use crate::feature::FeatureName;
use crate::statistic::Measurement;
use crate::statistic::power::{Detectable, Power};

/// One feature's power in this window.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// `None` where not even the largest drift would be found.
    pub smallest: Option<Detectable>,
    /// The policy's limits that lie below that, the larger first, each with the effective rows that the window lacks.
    lacking: Vec<(f64, Lacking)>,
    /// Effective rows of the reference.
    reference: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lacking {
    Rows(f64),
    /// No window is large enough.
    Reference,
}

impl Sight {
    /// `tested` features share the significance level, and in each feature its tests do: what is found at that level is found whatever
    /// the others do. `None` where the reference does not vary.
    pub fn of(name: &FeatureName, measurement: &Measurement, tested: usize, policy: &Policy) -> Option<Self> {
        let power = Power::of(&measurement.psi.as_ref()?.cells)?;
        let own_tests = 1 + usize::from(measurement.missing.is_some()) + usize::from(measurement.non_finite.is_some());
        let level = match policy.rule {
            Rule::SignificantAndMaterial => policy.alpha / (tested.max(1) * own_tests) as f64,
            Rule::Ks | Rule::Psi | Rule::Either => policy.alpha,
        };
        let smallest = power.smallest(measurement.effective, level);
        let (_, psi_drift) = policy.psi_thresholds(name);
        let limits = [policy.psi_unseen, psi_drift];
        let lacking = limits.into_iter().filter(|limit| smallest.is_none_or(|seen| seen.psi > *limit)).map(|limit| {
            let needed = power.rows_needed(measurement.effective.reference, level, limit);
            (limit, needed.map_or(Lacking::Reference, |rows| Lacking::Rows((rows - measurement.effective.current).max(1.0))))
        });
        Some(Self { smallest, lacking: lacking.collect(), reference: measurement.effective.reference })
    }

    /// Whether a drift of this PSI would have gone unseen.
    pub fn misses(&self, psi: f64) -> bool {
        self.smallest.is_none_or(|seen| seen.psi > psi)
    }

    /// What "no significant change" is worth: `; a drift from PSI 0.31 would have been seen`.
    pub fn claim(&self) -> String {
        self.smallest.map(|seen| format!("; a drift from PSI {:.2} would have been seen", seen.psi)).unwrap_or_default()
    }

    /// What a comparison that sees too little lacks, and what it sees.
    pub fn blind(&self) -> String {
        let seen = match self.smallest {
            Some(seen) => format!("only a drift from PSI {:.2} would have been seen", seen.psi),
            None => "no drift would have been seen".to_owned(),
        };
        self.needs().map(|needs| format!("{needs}; {seen}")).unwrap_or(seen)
    }

    /// `needs about 16 more independent rows to detect PSI 1.00, and about 480 to detect PSI 0.10`; `None` where nothing is lacking.
    pub fn needs(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        for (psi, lacking) in &self.lacking {
            match lacking {
                Lacking::Rows(rows) => {
                    let what = if parts.is_empty() { " more independent rows" } else { "" };
                    parts.push(format!("about {}{what} to detect PSI {psi:.2}", rounded(*rows)));
                }
                Lacking::Reference => {
                    let reference = self.reference;
                    parts.push(format!(
                        "a larger reference than {reference:.0} independent rows to detect PSI {psi:.2} in any window"
                    ));
                    break;
                }
            }
        }
        (!parts.is_empty()).then(|| format!("needs {}", parts.join(", and ")))
    }
}

/// Two digits: the estimate is no better.
fn rounded(rows: f64) -> String {
    let unit = 10.0_f64.powf((rows.max(1.0).log10().floor() - 1.0).max(0.0));
    format!("{:.0}", (rows / unit).ceil() * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_to_two_digits() {
        for (rows, told) in [(0.4, "1"), (3.2, "4"), (37.5, "38"), (138.0, "140"), (1_201.0, "1300")] {
            assert_eq!(rounded(rows), told);
        }
    }

    #[test]
    fn what_is_lacking_is_told_in_one_sentence() {
        let sight = |smallest: Option<f64>, lacking: &[(f64, Lacking)]| Sight {
            smallest: smallest.map(|psi| Detectable { psi, shift: None }),
            lacking: lacking.to_vec(),
            reference: 60.0,
        };
        assert_eq!(sight(Some(0.08), &[]).claim(), "; a drift from PSI 0.08 would have been seen");
        assert_eq!(
            sight(Some(1.4), &[(1.0, Lacking::Rows(8.2)), (0.1, Lacking::Rows(481.0))]).needs().unwrap(),
            "needs about 9 more independent rows to detect PSI 1.00, and about 490 to detect PSI 0.10"
        );
        assert_eq!(
            sight(Some(1.4), &[(1.0, Lacking::Rows(8.2)), (0.1, Lacking::Reference)]).blind(),
            "needs about 9 more independent rows to detect PSI 1.00, and a larger reference than 60 independent rows to detect PSI 0.10 in any \
             window; only a drift from PSI 1.40 would have been seen"
        );
        assert!(sight(None, &[(1.0, Lacking::Rows(20.0))]).blind().ends_with("; no drift would have been seen"));
    }
}
