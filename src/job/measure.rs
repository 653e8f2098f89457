//! From counts to judged features and the decision: the pure middle of a run.

use rayon::prelude::*;

use crate::decision::dataset::{DatasetDecision, decide};
use crate::decision::policy::Policy;
use crate::decision::rule::judge;
use crate::feature::FeatureName;
use crate::profile::dependence::Estimate;
use crate::profile::{FeatureCounts, FeatureProfile, ReferenceProfile, WindowCounts};
use crate::report::assemble::JudgedFeature;
use crate::statistic::{DesignEffect, Measurement, compare};

/// One feature on both sides.
type Sides<'a> = (&'a FeatureName, &'a FeatureProfile, &'a FeatureCounts);

/// Compares every feature, all in parallel, and judges them together.
pub fn measure<'a>(
    profile: &'a ReferenceProfile,
    counts: &'a WindowCounts,
    window_rows: u64,
    policy: &Policy,
) -> (Vec<JudgedFeature<'a>>, DatasetDecision) {
    let sides: Vec<Sides<'a>> = profile.features.iter().zip(&counts.features).map(|((name, p), c)| (name, p, c)).collect();
    let reference: Vec<Estimate> = sides.iter().map(|(_, profile, _)| *profile.dependence()).collect();
    let current = counts.dependence.estimates(&reference);
    let measurements: Vec<Measurement> = sides
        .par_iter()
        .zip(reference.par_iter().zip(current.par_iter()))
        .map(|((_, profile, counts), (reference, current))| {
            let design_effect = DesignEffect { reference: reference.design_effect, current: current.design_effect };
            compare(profile, counts, design_effect)
        })
        .collect();
    let named: Vec<(&FeatureName, &Measurement)> = sides.iter().map(|(name, ..)| *name).zip(&measurements).collect();
    let judgements = judge(&named, policy);
    let verdicts: Vec<_> = judgements.iter().map(|judgement| judgement.verdict).collect();
    let decision = decide(&verdicts, policy.share, window_rows);
    let judged = sides.into_iter().zip(measurements).zip(judgements).map(|(((name, profile, counts), measurement), judgement)| {
        JudgedFeature { name, kind: profile.kind(), sides: Some((profile, counts)), measurement, judgement }
    });
    (judged.collect(), decision)
}
