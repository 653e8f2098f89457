//! Rows from populations whose truth is known: latent normal values, correlated within a row and within a study, and what becomes
//! of them when something drifts. Knows nothing of files, scenarios or verdicts.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use statrs::distribution::{ContinuousCDF, Normal};

/// As many as the service that the product was made for has.
pub const FEATURES: usize = 16;

/// The features that change when something drifts: 6 of 16 is more than the 30 % from which a data set drifts; 5 would do.
pub const CHANGED: usize = 6;

const US_PER_HOUR: i64 = 3_600_000_000;

/// Requests per hour of the day, relative: the traffic of a clinic.
const CLINIC: [u32; 24] = [2, 2, 2, 2, 2, 3, 4, 7, 10, 12, 12, 11, 9, 10, 11, 11, 9, 7, 5, 4, 3, 3, 2, 2];
const EVEN: [u32; 24] = [1; 24];

/// 45 % of a standard normal lie below: scipy.stats.norm.ppf(0.45).
const ZERO_BELOW: f64 = -0.125_661_346_855_074_02;

/// Categories with the cumulative frequencies before and after their mix changes (PSI 0.32).
const CATEGORIES: [(&str, f64, f64); 5] =
    [("red", 0.40, 0.20), ("green", 0.65, 0.40), ("blue", 0.80, 0.60), ("white", 0.92, 0.80), ("black", 1.0, 1.0)];

/// What a latent standard normal becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Marginal {
    Normal,
    /// About 20 different values.
    Rounded,
    /// 45 % zeros, a positive tail.
    ZeroInflated,
    /// Student's t with 2 degrees of freedom: a mean, but no variance.
    StudentT,
    Lognormal,
}

/// How rows come about when nothing drifts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Population {
    pub marginal: Marginal,
    /// Between any two features of a row, from 0 to 1.
    pub correlation: f64,
    /// Consecutive rows of one study.
    pub study_rows: usize,
    /// The share of the variance that the rows of a study have in common: the intraclass correlation.
    pub study_share: f64,
    /// The fraction of missing values.
    pub missing: f64,
    /// Whether the first [`CHANGED`] features are categorical.
    pub categorical: bool,
    /// Whether there is more traffic by day than by night.
    pub daily_traffic: bool,
    /// How far values move with the hour of the day, in standard deviations.
    pub daily_swing: f64,
}

/// What is different in a window. It concerns the first [`CHANGED`] features, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drift {
    None,
    /// By so many standard deviations.
    Shift(f64),
    /// The standard deviation is so many times the reference's.
    Spread(f64),
    /// The fraction of missing values.
    Missing(f64),
    /// Another mix of the categories.
    Mix,
    /// The first feature has one value only.
    Dead,
    /// The correlation between all features; every feature on its own is as before.
    Correlation(f64),
}

/// The time that rows are spread over: whole days from `start_us`, microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    pub start_us: i64,
    pub days: i64,
}

/// Rows in the order of time, by column.
pub struct Rows {
    /// Microseconds since the Unix epoch.
    pub moments_us: Vec<i64>,
    /// The number of each row's study.
    pub studies: Vec<usize>,
    pub features: Vec<Column>,
}

pub enum Column {
    Numeric(Vec<Option<f64>>),
    Categorical(Vec<Option<&'static str>>),
}

type Latent = [f64; FEATURES];

impl Population {
    /// Independent rows of independent normal features.
    pub const PLAIN: Self = Self {
        marginal: Marginal::Normal,
        correlation: 0.0,
        study_rows: 1,
        study_share: 0.0,
        missing: 0.0,
        categorical: false,
        daily_traffic: false,
        daily_swing: 0.0,
    };

    /// Draws rows.
    pub fn draw(&self, drift: Drift, rows: usize, period: Period, rng: &mut ChaCha8Rng) -> Rows {
        let moments_us = self.moments(rows, period, rng);
        let studies = (0..rows).map(|row| row / self.study_rows).collect();
        let latent = self.latent_rows(drift, &moments_us, rng);
        let features = (0..FEATURES).map(|index| {
            let missing = if let (Drift::Missing(missing), true) = (drift, index < CHANGED) { missing } else { self.missing };
            let z = latent.iter().map(|row| row[index]);
            // Whether a value is missing has nothing to do with the value.
            if self.categorical && index < CHANGED {
                Column::Categorical(z.map(|z| present(missing, rng).then(|| category(z, drift == Drift::Mix))).collect())
            } else {
                let dead = drift == Drift::Dead && index == 0;
                Column::Numeric(z.map(|z| present(missing, rng).then(|| if dead { 0.5 } else { self.marginal.value(z) })).collect())
            }
        });
        let features = features.collect();
        Rows { moments_us, studies, features }
    }

    fn moments(&self, rows: usize, period: Period, rng: &mut ChaCha8Rng) -> Vec<i64> {
        let traffic = if self.daily_traffic { &CLINIC } else { &EVEN };
        let total = traffic.iter().sum();
        let mut moments: Vec<i64> = (0..rows)
            .map(|_| {
                let day = rng.random_range(0..period.days);
                let mut at = rng.random_range(0..total);
                let mut hour = 0;
                for weight in traffic {
                    if at < *weight {
                        break;
                    }
                    at -= weight;
                    hour += 1;
                }
                period.start_us + (day * 24 + hour) * US_PER_HOUR + rng.random_range(0..US_PER_HOUR)
            })
            .collect();
        moments.sort_unstable();
        moments
    }

    /// Standard normal values, moved by the hour of the day and by what drifts.
    fn latent_rows(&self, drift: Drift, moments_us: &[i64], rng: &mut ChaCha8Rng) -> Vec<Latent> {
        let correlation = if let Drift::Correlation(correlation) = drift { correlation } else { self.correlation };
        let (common, own) = (self.study_share.sqrt(), (1.0 - self.study_share).sqrt());
        let mut study = [0.0; FEATURES];
        let rows = moments_us.iter().enumerate().map(|(row, moment_us)| {
            if self.study_share > 0.0 && row % self.study_rows == 0 {
                study = latent(correlation, rng);
            }
            let day = moment_us.rem_euclid(24 * US_PER_HOUR) as f64 / (24 * US_PER_HOUR) as f64;
            let swing = self.daily_swing * (std::f64::consts::TAU * day).sin();
            let mut values = latent(correlation, rng);
            for (index, (value, study)) in values.iter_mut().zip(study).enumerate() {
                *value = common * study + own * *value + swing;
                match drift {
                    Drift::Shift(shift) if index < CHANGED => *value += shift,
                    Drift::Spread(factor) if index < CHANGED => *value *= factor,
                    _ => {}
                }
            }
            values
        });
        rows.collect()
    }
}

impl Marginal {
    fn value(self, z: f64) -> f64 {
        match self {
            Self::Normal => z,
            // Adding zero turns -0.0 into 0.0.
            Self::Rounded => (z * 4.0).round().clamp(-10.0, 10.0) / 4.0 + 0.0,
            Self::ZeroInflated if z < ZERO_BELOW => 0.0,
            Self::ZeroInflated => (z - ZERO_BELOW).exp_m1(),
            Self::StudentT => {
                let (below, above) = (probability_below(z), probability_below(-z));
                (below - above) / (2.0 * below * above).sqrt()
            }
            Self::Lognormal => (1.5 * z).exp(),
        }
    }
}

/// Standard normals of which any two have the correlation.
fn latent(correlation: f64, rng: &mut ChaCha8Rng) -> Latent {
    let factor: f64 = rng.sample(StandardNormal);
    let (shared, own) = (correlation.sqrt() * factor, (1.0 - correlation).sqrt());
    std::array::from_fn(|_| shared + own * rng.sample::<f64, _>(StandardNormal))
}

fn present(missing: f64, rng: &mut ChaCha8Rng) -> bool {
    missing <= 0.0 || rng.random::<f64>() >= missing
}

fn category(z: f64, changed: bool) -> &'static str {
    let at = probability_below(z);
    let found = CATEGORIES.iter().find(|(_, before, after)| at < if changed { *after } else { *before });
    found.map_or("black", |(name, ..)| name)
}

fn probability_below(z: f64) -> f64 {
    Normal::standard().cdf(z)
}
