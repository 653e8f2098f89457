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

/// What became of a window.
pub struct Measured<'a> {
    pub features: Vec<JudgedFeature<'a>>,
    /// What the model said, judged apart: never counted among the features.
    pub predictions: Vec<JudgedFeature<'a>>,
    pub decision: DatasetDecision,
}

/// Compares every feature and prediction, all in parallel, and judges the features together, and the predictions.
pub fn measure<'a>(profile: &'a ReferenceProfile, counts: &'a WindowCounts, window_rows: u64, policy: &Policy) -> Measured<'a> {
    let sides: Vec<Sides<'a>> = profile.features.iter().zip(&counts.features).map(|((name, p), c)| (name, p, c)).collect();
    let reference: Vec<Estimate> = sides.iter().map(|(_, profile, _)| *profile.dependence()).collect();
    let current = counts.dependence.estimates(&reference);
    let measured: Vec<(Sides<'a>, Measurement)> = sides
        .into_par_iter()
        .zip(reference.par_iter().zip(current.par_iter()))
        .map(|(sides, (reference, current))| {
            let design_effect = DesignEffect { reference: reference.design_effect, current: current.design_effect };
            (sides, compare(sides.1, sides.2, design_effect))
        })
        .collect();
    let (predictions, features): (Vec<_>, Vec<_>) =
        measured.into_iter().partition(|((name, ..), _)| profile.predictions.contains(name));
    let features = judged(features, policy);
    let verdicts: Vec<_> = features.iter().map(|feature| feature.judgement.verdict).collect();
    let decision = decide(&verdicts, policy.share, window_rows);
    Measured { features, predictions: judged(predictions, policy), decision }
}

/// Judges what belongs together: false discoveries are held down over all of it.
fn judged<'a>(measured: Vec<(Sides<'a>, Measurement)>, policy: &Policy) -> Vec<JudgedFeature<'a>> {
    let named: Vec<(&FeatureName, &Measurement)> = measured.iter().map(|((name, ..), measurement)| (*name, measurement)).collect();
    let judgements = judge(&named, policy);
    let judged = measured.into_iter().zip(judgements).map(|(((name, profile, counts), measurement), judgement)| JudgedFeature {
        name,
        kind: profile.kind(),
        sides: Some((profile, counts)),
        measurement,
        judgement,
    });
    judged.collect()
}
