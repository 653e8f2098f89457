//! Between features: which drifted ones probably have one cause, and which stable ones no longer move together.

use std::collections::BTreeMap;

use super::current::Current;
use crate::decision::Verdict;
use crate::decision::cause::{Cause, causes};
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::decision::joint::{JointDrift, Pair, judge_pairs};
use crate::decision::policy::Policy;
use crate::feature::FeatureName;
use crate::profile::ReferenceProfile;
use crate::report::assemble::JudgedFeature;
use crate::report::printable;
use crate::statistic::DesignEffect;
use crate::statistic::joint::PairComparison;

/// What the features say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relations<'a> {
    pub causes: Vec<Cause<'a>>,
    /// `None` where relations were not compared.
    pub joint: Option<JointDrift<'a>>,
}

/// Compares the relations between features that are judged already.
pub fn relate<'a>(
    profile: &'a ReferenceProfile,
    current: &Current,
    judged: &[JudgedFeature<'a>],
    policy: &Policy,
) -> Relations<'a> {
    let Some(reference) = profile.joint.as_ref().filter(|joint| joint.features.len() > 1) else { return Relations::default() };
    let by_name: BTreeMap<&FeatureName, &JudgedFeature<'a>> = judged.iter().map(|feature| (feature.name, feature)).collect();
    let mut drifted: Vec<&JudgedFeature<'a>> =
        judged.iter().filter(|feature| feature.judgement.verdict == Verdict::Drift).collect();
    let size = |feature: &JudgedFeature<'_>| feature.measurement.psi.as_ref().map_or(0.0, |psi| psi.adjusted);
    drifted.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let drifted: Vec<&FeatureName> = drifted.into_iter().map(|feature| feature.name).collect();
    let known = reference
        .named_pairs()
        .filter(|(.., pair)| pair.rows >= ROWS_THAT_TIE)
        .filter_map(|(a, b, pair)| Some((a, b, pair.correlation?)));
    let pairs = reference.named_pairs().zip(current.counts.joint.pairs()).filter_map(|((a, b, before), now)| {
        let comparison = PairComparison::compute(before, &now, design_effect(by_name.get(a)?, by_name.get(b)?))?;
        Some(Pair { a, b, comparison })
    });
    let is_stable = |name: &FeatureName| by_name.get(name).is_some_and(|feature| feature.judgement.verdict == Verdict::Stable);
    Relations { causes: causes(&drifted, known), joint: (!current.by_cluster).then(|| judge_pairs(pairs, is_stable, policy)) }
}

/// Fewer common rows of the reference do not tie two features together: of 30 unrelated ones a correlation of 0.7 is one in 60,000.
const ROWS_THAT_TIE: u64 = 30;

/// Two features' rows are worth no more than those of the one whose rows depend on each other more.
fn design_effect(a: &JudgedFeature<'_>, b: &JudgedFeature<'_>) -> DesignEffect {
    let (a, b) = (a.measurement.design_effect, b.measurement.design_effect);
    DesignEffect { reference: a.reference.max(b.reference), current: a.current.max(b.current) }
}

/// As many pairs as a message names.
const PAIRS_NAMED: usize = 5;

/// The remark on the pairs that changed, if any did.
pub fn finding(joint: Option<&JointDrift<'_>>) -> Option<Finding> {
    let changed = &joint.filter(|joint| !joint.changed.is_empty())?.changed;
    let named = changed.iter().take(PAIRS_NAMED).map(|(pair, _)| {
        let (a, b) = (printable(pair.a.as_str()), printable(pair.b.as_str()));
        format!("{a} and {b} ({:.2} before, {:.2} now)", pair.comparison.reference, pair.comparison.current)
    });
    let more = changed.len().saturating_sub(PAIRS_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let pairs = if changed.len() == 1 { "1 pair".to_owned() } else { format!("{} pairs", changed.len()) };
    let message = format!(
        "The correlation of {pairs} changed although each of the features is stable on its own: {}{more}. Look for swapped columns, a join \
         that pairs the wrong rows, or a normalisation that several features share.",
        named.collect::<Vec<_>>().join(", ")
    );
    Some(Finding::new(FindingCode::JointDrift, Severity::Warning, message))
}
