//! What is called detectable is detected: the promised power, by drawing.

use drift_check::decision::policy::Policy;
use drift_check::decision::rule::judge;
use drift_check::feature::{ColumnBatch, FeatureKind, FeatureName};
use drift_check::profile::builder::ProfileBuilder;
use drift_check::profile::table::FeatureTable;
use drift_check::profile::{FeatureCounts, ReferenceProfile};
use drift_check::statistic::{DesignEffect, Measurement, compare};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

const DRAWS: u32 = 400;

fn profile_of(kind: FeatureKind, batch: ColumnBatch<'_>) -> ReferenceProfile {
    let mut builder = ProfileBuilder::new(&[(FeatureName::new("x"), kind)]);
    builder.update([batch]);
    builder.finish(Vec::new())
}

fn measure(profile: &ReferenceProfile, batch: ColumnBatch<'_>) -> Measurement {
    let profile = profile.feature("x").unwrap();
    let mut counts = FeatureCounts::empty(profile);
    counts.update(profile, &FeatureTable::of(profile), batch, None);
    compare(profile, &counts, DesignEffect::INDEPENDENT)
}

fn normals(count: usize, shift: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..count).map(|_| rng.sample::<f64, _>(StandardNormal) + shift).collect()
}

#[test]
fn a_shift_that_is_called_detectable_is_found_in_four_of_five_windows() {
    let policy = Policy::default();
    for (reference_rows, window_rows) in [(613, 73), (613, 300), (2_000, 2_000)] {
        let mut rng = ChaCha8Rng::seed_from_u64(window_rows as u64);
        let mut found = 0;
        for _ in 0..DRAWS {
            let profile = profile_of(FeatureKind::Numeric, ColumnBatch::Numeric(&normals(reference_rows, 0.0, &mut rng)));
            let quiet = measure(&profile, ColumnBatch::Numeric(&normals(window_rows, 0.0, &mut rng)));
            let smallest = judge(&[(&FeatureName::new("x"), &quiet)], &policy)[0].detectable.unwrap();
            let moved = measure(&profile, ColumnBatch::Numeric(&normals(window_rows, smallest.shift.unwrap(), &mut rng)));
            found += u32::from(moved.p_value.unwrap() < policy.alpha);
        }
        // The promise is a lower bound of 80 %. scipy.stats.binom.cdf(295, 400, 0.8) = 1.2e-3.
        assert!((296..=380).contains(&found), "{reference_rows} -> {window_rows}: {found} of {DRAWS}");
    }
}

/// Values that are tied, and tied at one end: the promise holds in one direction at least.
#[test]
fn a_shift_of_tied_values_that_is_called_detectable_is_found() {
    let policy = Policy::default();
    for (steps, offset) in [(1.0, 0.0), (2.0, 0.0), (4.0, 0.0), (0.5, 1.0)] {
        let tied = |value: f64| (value * steps + offset).round().clamp(-3.0 * steps, 3.0 * steps);
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut found = [0; 2];
        for _ in 0..DRAWS {
            let draw = |count: usize, shift: f64, rng: &mut ChaCha8Rng| -> Vec<f64> {
                normals(count, shift, rng).into_iter().map(tied).collect()
            };
            let profile = profile_of(FeatureKind::Numeric, ColumnBatch::Numeric(&draw(613, 0.0, &mut rng)));
            let quiet = measure(&profile, ColumnBatch::Numeric(&draw(150, 0.0, &mut rng)));
            let smallest = judge(&[(&FeatureName::new("x"), &quiet)], &policy)[0].detectable.unwrap().shift.unwrap();
            for (found, shift) in found.iter_mut().zip([smallest, -smallest]) {
                let moved = measure(&profile, ColumnBatch::Numeric(&draw(150, shift, &mut rng)));
                *found += u32::from(moved.p_value.unwrap() < policy.alpha);
            }
        }
        assert!(*found.iter().max().unwrap() >= 296, "{steps} steps: {found:?} of {DRAWS}");
    }
}

#[test]
fn a_mix_that_is_called_detectable_is_found_in_four_of_five_windows() {
    let policy = Policy::default();
    let dictionary = ["a", "b", "c", "d"].map(str::to_owned);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    // Four equal categories; `tilt` moves rows from the first two to the last two.
    let draw = |count: usize, tilt: f64, rng: &mut ChaCha8Rng| -> Vec<u32> {
        let code = |u: f64| {
            if u < 0.25 - tilt {
                0
            } else if u < 0.5 - 2.0 * tilt {
                1
            } else if u < 0.75 - tilt {
                2
            } else {
                3
            }
        };
        (0..count).map(|_| code(rng.random())).collect()
    };
    let psi = |tilt: f64| 2.0 * tilt * ((0.25 + tilt) / (0.25 - tilt)).ln();
    let mut found = 0;
    for _ in 0..DRAWS {
        let reference = draw(613, 0.0, &mut rng);
        let profile = profile_of(FeatureKind::Categorical, ColumnBatch::Categorical { codes: &reference, dictionary: &dictionary });
        let window = |tilt: f64, rng: &mut ChaCha8Rng| {
            measure(&profile, ColumnBatch::Categorical { codes: &draw(150, tilt, rng), dictionary: &dictionary })
        };
        let quiet = window(0.0, &mut rng);
        let smallest = judge(&[(&FeatureName::new("x"), &quiet)], &policy)[0].detectable.unwrap();
        let tilt = (1..250).map(|step| f64::from(step) / 1_000.0).find(|tilt| psi(*tilt) >= smallest.psi).unwrap();
        found += u32::from(window(tilt, &mut rng).p_value.unwrap() < policy.alpha);
    }
    assert!((292..=360).contains(&found), "{found} of {DRAWS}");
}
