//! The counting of one numeric column, the hot loop of a run, beside a plain binary search, per distribution:
//!
//! ```sh
//! cargo bench --bench counting
//! ```
//!
//! The reference has a million values, of which a grid keeps at most 65,536; what is counted is another draw. Everything that a run does
//! with a value is done: its moments, its cell and its place in it, its rank.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use drift_check::profile::counts::NumericCounts;
use drift_check::profile::grid::Grid;
use drift_check::profile::locator::Locator;
use drift_check::profile::ranks::RankTable;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const REFERENCE_VALUES: usize = 1_000_000;
/// Of a row group.
const VALUES: usize = 131_072;
const SEED: u64 = 20_261_129;

/// How the values of a column are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Uniform,
    Normal,
    LogNormal,
    /// With three degrees of freedom.
    StudentT,
    /// A hundred whole numbers.
    Tied,
    Constant,
    /// Normal, ascending.
    Sorted,
    /// In sixteen places, so far from one another that no map tells their values apart.
    Crowded,
}

const SHAPES: [Shape; 8] =
    [Shape::Uniform, Shape::Normal, Shape::LogNormal, Shape::StudentT, Shape::Tied, Shape::Constant, Shape::Sorted, Shape::Crowded];

impl Shape {
    fn draw(self, count: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drawn = |distribution: &dyn Fn(&mut ChaCha8Rng) -> f64| (0..count).map(|_| distribution(&mut rng)).collect();
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        let mut values: Vec<f64> = match self {
            Self::Uniform => drawn(&|rng| rng.random()),
            Self::Normal | Self::Sorted => drawn(&normal),
            Self::LogNormal => drawn(&|rng| (3.0 + normal(rng)).exp()),
            Self::StudentT => drawn(&|rng| {
                normal(rng) / ([normal(rng), normal(rng), normal(rng)].map(|z| z * z).iter().sum::<f64>() / 3.0).sqrt()
            }),
            Self::Tied => drawn(&|rng| f64::from(rng.random_range(0..100))),
            Self::Constant => drawn(&|_| 42.0),
            Self::Crowded => drawn(&|rng| {
                let cluster = f64::from(rng.random_range(-8..8)) * 1e12;
                cluster + rng.random::<f64>()
            }),
        };
        if self == Self::Sorted {
            values.sort_unstable_by(f64::total_cmp);
        }
        values
    }
}

/// A column with what a run has made of its reference.
struct Workload {
    grid: Grid,
    locator: Locator,
    ranks: RankTable,
    values: Vec<f64>,
}

impl Workload {
    fn of(shape: Shape) -> Self {
        let reference = shape.draw(REFERENCE_VALUES, SEED);
        let grid = Grid::from_values(&mut reference.clone());
        let ranks = RankTable::numeric(&NumericCounts::of(&grid, &reference), grid.knots().len());
        Self { locator: Locator::new(&grid), grid, ranks, values: shape.draw(VALUES, SEED + 1) }
    }
}

/// As a run counts.
#[divan::bench(args = SHAPES)]
fn counted(bencher: Bencher<'_, '_>, shape: Shape) {
    let Workload { grid, locator, ranks, values } = &Workload::of(shape);
    let (mut counts, mut ranked) = (NumericCounts::empty(grid), Vec::with_capacity(VALUES));
    bencher.counter(ItemsCount::new(VALUES)).bench_local(|| {
        ranked.clear();
        counts.update(locator, black_box(values), Some((ranks, &mut ranked)));
        black_box(ranked.last().copied())
    });
}

/// A binary search for the cell of each value, and nothing but its count.
#[divan::bench(args = SHAPES)]
fn searched(bencher: Bencher<'_, '_>, shape: Shape) {
    let Workload { grid, values, .. } = &Workload::of(shape);
    let mut counts = vec![0_u64; grid.cells()];
    bencher.counter(ItemsCount::new(VALUES)).bench_local(|| {
        for value in black_box(values) {
            if let Some(count) = counts.get_mut(grid.cell(*value)) {
                *count += 1;
            }
        }
        black_box(counts.first().copied())
    });
}

fn main() {
    divan::main();
}
