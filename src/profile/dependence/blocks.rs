//! Dependence in time order: the blocking method.

use serde::{Deserialize, Serialize};

use super::{Estimate, Method};
use crate::profile::packed::{Packer, Unpacker};

/// Levels of blocking: blocks of 1, 2, 4, … rows. More rows than 2^40 do not occur.
const LEVELS: usize = 40;

/// A level with fewer blocks says nothing of a variance.
const MIN_BLOCKS: u64 = 4;

/// The curve has levelled off when doubling the block adds less than this share.
const PLATEAU: f64 = 0.10;

/// Blocks of hours go on where those of rows end when they are this many times as long.
const LONGER: f64 = 1.5;

/// What is added for the part of the curve that a window is too short to show. Chosen by simulation: studies of ten rows, a window of
/// 73 (`tests/simulation`).
const STILL_RISING: f64 = 1.5;

/// A window that holds fewer stretches than this, each as long as the reference's design effect, is too short to be believed when it
/// looks less dependent than the reference. Chosen by simulation, as above: seven studies cannot tell that they are studies.
const MIN_STRETCHES: f64 = 50.0;

/// Block sums of one feature at every level (Flyvbjerg & Petersen 1989, J. Chem. Phys. 91:461, doi:10.1063/1.457480).
///
/// Costs O(1) per value. A block lies within one stretch of rows ([`Self::close`]): parts that hold whole stretches merge by addition, in
/// any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    levels: Vec<Level>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Level {
    closed: LevelSums,
    /// The sum of a block that waits for its neighbour.
    pending: Option<u64>,
}

/// The blocks of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelSums {
    pub blocks: u64,
    pub sum: u128,
    pub squares: u128,
}

impl Blocks {
    /// Adds the next ranks of a stretch in time order.
    pub fn extend(&mut self, ranks: &[u16]) {
        for ranks in ranks.chunks(RANKS_AT_A_TIME) {
            let mut sums: Vec<u32> = ranks.iter().map(|rank| u32::from(*rank)).collect();
            for depth in 0..LEVELS_AT_A_TIME {
                if sums.is_empty() {
                    break;
                }
                self.add_blocks(depth, &sums);
                sums = self.pair_up(depth, &sums);
            }
            let mut sums: Vec<u64> = sums.into_iter().map(u64::from).collect();
            for depth in LEVELS_AT_A_TIME..LEVELS {
                let Some(level) = self.level(depth).filter(|_| !sums.is_empty()) else { break };
                level.closed.blocks += sums.len() as u64;
                level.closed.sum += sums.iter().map(|sum| u128::from(*sum)).sum::<u128>();
                level.closed.squares += sums.iter().map(|sum| u128::from(*sum) * u128::from(*sum)).sum::<u128>();
                let first = level.pending.take();
                let all: Vec<u64> = first.into_iter().chain(sums).collect();
                let (pairs, rest) = all.as_chunks();
                level.pending = rest.first().copied();
                sums = pairs.iter().map(|[first, second]| first + second).collect();
            }
        }
    }

    /// The level of blocks of 2^depth ranks.
    fn level(&mut self, depth: usize) -> Option<&mut Level> {
        if depth >= self.levels.len() {
            self.levels.resize(depth + 1, Level::default());
        }
        self.levels.get_mut(depth)
    }

    /// Counts blocks of 2^depth ranks.
    fn add_blocks(&mut self, depth: usize, sums: &[u32]) {
        let Some(level) = self.level(depth) else { return };
        level.closed.blocks += sums.len() as u64;
        // At most 2^12 sums, and one that waited, of less than 2^24 each.
        level.closed.sum += u128::from(sums.iter().map(|sum| u64::from(*sum)).sum::<u64>());
        level.closed.squares += u128::from(sums.iter().map(|sum| u64::from(*sum) * u64::from(*sum)).sum::<u64>());
    }

    /// Sums neighbours; one without a neighbour waits for the next values.
    fn pair_up(&mut self, depth: usize, sums: &[u32]) -> Vec<u32> {
        let Some(Level { pending, .. }) = self.level(depth) else { return Vec::new() };
        let first = pending.take().and_then(|first| u32::try_from(first).ok());
        let with_first: Vec<u32>;
        let sums = match first {
            None => sums,
            Some(first) => {
                with_first = std::iter::once(first).chain(sums.iter().copied()).collect();
                &with_first
            }
        };
        let (pairs, rest) = sums.as_chunks();
        *pending = rest.first().map(|sum| u64::from(*sum));
        pairs.iter().map(|[first, second]| first + second).collect()
    }

    /// Ends the stretch: what comes next is not a neighbour of what came before.
    pub fn close(&mut self) {
        self.levels.iter_mut().for_each(|level| level.pending = None);
    }

    /// Adds the blocks of another part; both are closed.
    pub fn merge(&mut self, other: &Self) {
        self.add(other.levels.iter().map(|level| level.closed));
    }

    /// As [`Self::merge`], and the last stretch of the other part, which is not closed, goes on here.
    pub fn follow(&mut self, other: &Self) {
        self.merge(other);
        for (level, last) in self.levels.iter_mut().zip(&other.levels) {
            level.pending = last.pending;
        }
    }

    /// Adds blocks of 1, 2, 4, … rows.
    pub fn add(&mut self, levels: impl IntoIterator<Item = LevelSums>) {
        for (depth, more) in levels.into_iter().take(LEVELS).enumerate() {
            if depth == self.levels.len() {
                self.levels.push(Level::default());
            }
            if let Some(level) = self.levels.get_mut(depth) {
                level.closed.blocks += more.blocks;
                level.closed.sum += more.sum;
                level.closed.squares += more.squares;
            }
        }
    }

    /// Of whole stretches: they are closed.
    pub fn pack(&self, to: &mut Packer) {
        to.length(self.levels.len());
        for level in self.levels() {
            to.count(level.blocks);
            to.unsigned(level.sum);
            to.unsigned(level.squares);
        }
    }

    /// What was packed; `None` where it was not.
    pub fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        let mut levels = Vec::new();
        for _ in 0..from.length().filter(|levels| *levels <= LEVELS)? {
            let (blocks, sum, squares) = (from.rows()?, from.unsigned()?, from.unsigned()?);
            (sum < MOST && squares < MOST).then_some(())?;
            levels.push(Level { closed: LevelSums { blocks, sum, squares }, pending: None });
        }
        Some(Self { levels })
    }

    /// Of blocks of 1, 2, 4, … rows.
    pub fn levels(&self) -> impl Iterator<Item = LevelSums> {
        self.levels.iter().map(|level| level.closed)
    }

    fn rows(&self) -> u64 {
        self.levels.first().map_or(0, |level| level.closed.blocks)
    }

    /// The variance of the block sums of a level; `None` with too few blocks.
    fn variance(&self, depth: usize) -> Option<f64> {
        let level = self.levels.get(depth).map(|level| level.closed).filter(|level| level.blocks >= MIN_BLOCKS)?;
        let (blocks, sum) = (level.blocks as f64, level.sum as f64);
        Some(((level.squares as f64 - sum * sum / blocks) / (blocks - 1.0)).max(0.0))
    }

    /// The variance of a single row; `None` where there is none.
    fn of_a_row(&self) -> Option<f64> {
        self.variance(0).filter(|variance| *variance > 0.0)
    }

    /// The statistical inefficiency with blocks of 2^depth rows: how much larger the variance of a block's sum is than that of as
    /// many independent rows.
    fn inefficiency(&self, depth: usize) -> Option<f64> {
        Some(self.variance(depth)? / self.of_a_row()? / 2.0_f64.powi(i32::try_from(depth).ok()?))
    }
}

/// Ranks of 16 bits whose blocks are summed in 32 bits, and the squares of these in 64; few enough to stay in the nearest cache.
const RANKS_AT_A_TIME: usize = 1 << 12;
const LEVELS_AT_A_TIME: usize = 8;

/// More than any sum of a level comes to: many such sums can be added.
const MOST: u128 = 1 << 112;

/// The rows of one hour and the sum of their ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourSum {
    pub rows: u64,
    pub ranks: u64,
}

/// One feature's rows hour by hour, in the order of time: blocks that are longer than any stretch.
pub struct Hours<'a>(pub &'a [(i64, HourSum)]);

/// Blocks of at most 2^10 hours: longer windows than six weeks do not need longer blocks.
const HOUR_LEVELS: usize = 11;

impl Hours<'_> {
    /// The inefficiency of blocks of 2^depth hours, and how many rows such a block has; `None` with too few of them. Blocks have
    /// different numbers of rows: each is held against the mean of as many.
    fn inefficiency(&self, depth: usize, of_a_row: f64) -> Option<(f64, f64)> {
        let mut blocks: Vec<(i64, HourSum)> = Vec::new();
        for (hour, sum) in self.0.iter().filter(|(_, sum)| sum.rows > 0) {
            match blocks.last_mut() {
                Some((block, total)) if *block == hour >> depth => {
                    total.rows += sum.rows;
                    total.ranks += sum.ranks;
                }
                _ => blocks.push((hour >> depth, *sum)),
            }
        }
        if (blocks.len() as u64) < MIN_BLOCKS {
            return None;
        }
        let rows = blocks.iter().map(|(_, sum)| sum.rows as f64).sum::<f64>();
        let mean = blocks.iter().map(|(_, sum)| sum.ranks as f64).sum::<f64>() / rows;
        let squares = blocks.iter().map(|(_, sum)| (sum.ranks as f64 - sum.rows as f64 * mean).powi(2)).sum::<f64>();
        let count = blocks.len() as f64;
        let rows_of_a_block = rows / count;
        Some((squares / (count - 1.0) / rows_of_a_block / of_a_row, rows_of_a_block))
    }
}

/// One feature's inefficiency with ever longer blocks.
struct Curve {
    /// Blocks of 1, 2, 4, … rows.
    by_rows: Vec<f64>,
    /// Blocks of 1, 2, 4, … hours, each with the number of its rows.
    by_hours: Vec<(f64, f64)>,
}

impl Curve {
    fn of(blocks: &Blocks, hours: &Hours<'_>) -> Self {
        let by_rows = (0..LEVELS).map_while(|depth| blocks.inefficiency(depth)).collect();
        let of_a_row = blocks.of_a_row();
        let by_hours = of_a_row.map(|of_a_row| (0..HOUR_LEVELS).map_while(|depth| hours.inefficiency(depth, of_a_row)).collect());
        Self { by_rows, by_hours: by_hours.unwrap_or_default() }
    }
}

/// How long blocks are: 2^depth rows, or 2^depth hours.
#[derive(Clone, Copy)]
enum Length {
    Rows(usize),
    Hours(usize),
}

impl Length {
    fn of(self, curve: &Curve) -> Option<f64> {
        match self {
            Self::Rows(depth) => curve.by_rows.get(depth).copied(),
            Self::Hours(depth) => curve.by_hours.get(depth).map(|(inefficiency, _)| *inefficiency),
        }
    }
}

/// A level of blocks, in the mean of all features.
struct Step {
    inefficiency: f64,
    level: Length,
}

/// The mean curve, from the shortest blocks to the longest.
fn steps(curves: &[Curve]) -> Vec<Step> {
    let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let step = |level: Length| {
        let inefficiency = mean(curves.iter().filter_map(|curve| level.of(curve)).collect())?;
        Some(Step { inefficiency, level })
    };
    let mut steps: Vec<Step> = (0..LEVELS).map_while(|depth| step(Length::Rows(depth))).collect();
    let longest = steps.len().checked_sub(1).map_or(0.0, |depth| (depth as f64).exp2());
    for depth in 0..HOUR_LEVELS {
        let rows = mean(curves.iter().filter_map(|curve| curve.by_hours.get(depth)).map(|(_, rows)| *rows).collect());
        // Hardly longer blocks would say nothing new.
        if rows.is_some_and(|rows| rows >= LONGER * longest) {
            steps.extend(step(Length::Hours(depth)));
        }
    }
    steps
}

/// The estimates of all features together.
///
/// Which level counts is decided by the mean curve of all features: what makes neighbouring rows alike (one patient, one scanner)
/// is common to them, and one feature's curve is too noisy in a small window. The first level counts after which the mean curve rises
/// by less than a tenth; where it rises to the end, the last usable one, and half as much again. The levels are blocks of 1, 2, 4, …
/// rows of one stretch, then those blocks of 1, 2, 4, … hours that are longer. Where a window is too short to tell, the estimate of the
/// reference counts if it is larger; `reference` is empty for the reference itself.
pub fn estimates(features: &[Blocks], hours: &[Vec<(i64, HourSum)>], reference: &[Estimate]) -> Vec<Estimate> {
    let none = Vec::new();
    let curves: Vec<Curve> = features
        .iter()
        .enumerate()
        .map(|(position, blocks)| Curve::of(blocks, &Hours(hours.get(position).unwrap_or(&none))))
        .collect();
    let steps = steps(&curves);
    let mut chosen = 0;
    let mut levelled_off = false;
    while let (Some(now), Some(next)) = (steps.get(chosen), steps.get(chosen + 1)) {
        levelled_off = next.inefficiency <= now.inefficiency * (1.0 + PLATEAU);
        if levelled_off {
            break;
        }
        chosen += 1;
    }
    let pooled = steps.get(chosen).map_or(1.0, |step| step.inefficiency);
    // A window shorter than the correlation time shows only the beginning of the curve.
    let unseen = if levelled_off || chosen == 0 { 1.0 } else { STILL_RISING };
    let estimate = |(position, (blocks, curve)): (usize, (&Blocks, &Curve))| {
        // A window that is too short for a level of its own is as inefficient as the others.
        let own = steps.get(chosen).and_then(|step| step.level.of(curve)).map_or(pooled, |own| f64::midpoint(own, pooled));
        let known = reference.get(position).filter(|known| known.method == Method::Blocks).map_or(1.0, |known| known.design_effect);
        let floor = if (blocks.rows() as f64) < MIN_STRETCHES * known { known } else { 1.0 };
        Estimate { method: Method::Blocks, design_effect: (unseen * own).max(floor), ..Estimate::INDEPENDENT }
    };
    features.iter().zip(&curves).enumerate().map(estimate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ranks: impl IntoIterator<Item = u64>) -> Blocks {
        let mut blocks = Blocks::default();
        blocks.extend(&ranks.into_iter().map(|rank| u16::try_from(rank).unwrap()).collect::<Vec<_>>());
        blocks
    }

    fn estimates(features: &[Blocks], reference: &[Estimate]) -> Vec<Estimate> {
        super::estimates(features, &[], reference)
    }

    /// A scrambled sequence without neighbours that resemble each other.
    fn scrambled(count: u64) -> Vec<u64> {
        (0..count).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48).collect()
    }

    #[test]
    fn independent_rows_are_worth_themselves() {
        let estimate = estimates(&[of(scrambled(4_096)), of(scrambled(5_000))], &[]);
        assert!(estimate.iter().all(|estimate| estimate.design_effect < 1.2), "{estimate:?}");
    }

    #[test]
    fn repeated_rows_are_worth_one_each() {
        let repeated = scrambled(512).into_iter().flat_map(|rank| [rank; 8]);
        let design_effect = estimates(&[of(repeated)], &[])[0].design_effect;
        assert!((6.5..=10.0).contains(&design_effect), "{design_effect}");
    }

    #[test]
    fn a_window_too_short_for_blocks_is_taken_as_it_is() {
        assert!((estimates(&[of([5, 5, 5])], &[])[0].design_effect - 1.0).abs() < 1e-12);
        assert!((estimates(&[of([])], &[])[0].design_effect - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_short_window_is_no_less_dependent_than_the_reference_and_a_long_one_speaks_for_itself() {
        let known = Estimate { method: Method::Blocks, design_effect: 8.0, ..Estimate::INDEPENDENT };
        let of_rows = |rows| estimates(&[of(scrambled(rows))], &[known])[0].design_effect;
        assert!((of_rows(73) - 8.0).abs() < 1e-12);
        assert!(of_rows(4_096) < 1.2, "{}", of_rows(4_096));
        // Of a reference whose rows nothing orders nothing is known.
        assert!(estimates(&[of(scrambled(73))], &[Estimate { method: Method::Independent, ..known }])[0].design_effect < 2.0);
    }

    #[test]
    fn values_are_counted_alike_however_they_come_and_stretches_merge_in_any_order() {
        let ranks = scrambled(1_000);
        let whole = of(ranks.iter().copied());
        let mut pieces = Blocks::default();
        for piece in ranks.chunks(7) {
            pieces.extend(&piece.iter().map(|rank| u16::try_from(*rank).unwrap()).collect::<Vec<_>>());
        }
        assert_eq!(pieces, whole);
        // One by one, as the definition says: blocks of 8 rows from the first row on.
        let eights: Vec<u128> = ranks.chunks_exact(8).map(|block| block.iter().map(|rank| u128::from(*rank)).sum()).collect();
        let level = whole.levels().nth(3).unwrap();
        assert_eq!((level.blocks, level.sum), (125, eights.iter().sum::<u128>()));
        assert_eq!(level.squares, eights.iter().map(|sum| sum * sum).sum::<u128>());

        let (mut a, mut b) = (of(ranks[..333].iter().copied()), of(ranks[333..].iter().copied()));
        let mut stretches = of(ranks[..333].iter().copied());
        stretches.close();
        stretches.extend(&ranks[333..].iter().map(|rank| u16::try_from(*rank).unwrap()).collect::<Vec<_>>());
        for blocks in [&mut a, &mut b, &mut stretches] {
            blocks.close();
        }
        b.merge(&a);
        assert_eq!(b, stretches);
    }

    #[test]
    fn a_slow_change_shows_in_the_hours_where_no_stretch_is_long_enough_to_show_it() {
        // 24 hours of 4 rows, each in stretches of 2: all rows of an hour are alike.
        let (mut blocks, mut hours) = (Blocks::default(), Vec::new());
        for (hour, rank) in (0..24).zip(scrambled(24)) {
            for _ in 0..2 {
                blocks.extend(&[u16::try_from(rank).unwrap(); 2]);
                blocks.close();
            }
            hours.push((hour, HourSum { rows: 4, ranks: 4 * rank }));
        }
        let without = super::estimates(&[blocks.clone()], &[], &[])[0].design_effect;
        let with = super::estimates(&[blocks], &[hours], &[])[0].design_effect;
        assert!((2.5..3.5).contains(&without) && (3.2..7.0).contains(&with), "{without} {with}");
    }

    /// Means of so many neighbours in a scrambled sequence.
    fn smooth(rows: u64, neighbours: u64, from: u64) -> Vec<u64> {
        let all: Vec<u64> = (from..from + rows + neighbours).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48).collect();
        (0..rows)
            .zip(all.windows(usize::try_from(neighbours).unwrap()))
            .map(|(_, near)| near.iter().sum::<u64>() / neighbours)
            .collect()
    }

    /// What numpy 2.4 gives, with `var(sums of blocks of 2^d rows, ddof=1) / var(rows, ddof=1) / 2^d` and the rule of [`super::estimates`].
    #[test]
    fn design_effects_are_those_of_the_definition() {
        let are = |found: &[Estimate], expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((found.design_effect - expected).abs() < 1e-9 * expected, "{} {expected}", found.design_effect);
                assert_eq!((found.method, found.intraclass_correlation, found.clusters), (Method::Blocks, None, None));
            }
        };
        // The curve levels off at blocks of eight rows.
        let levels_off = estimates(&[of(smooth(2_000, 8, 0)), of(smooth(2_000, 5, 10_000))], &[]);
        are(&levels_off, &[3.069_368_867_984_287, 2.365_259_311_594_456]);
        // It rises to the end: half as much again.
        let rises = estimates(&[of(smooth(60, 16, 0)), of(smooth(60, 12, 10_000))], &[]);
        are(&rises, &[5.448_726_056_980_03, 5.361_028_925_395_077]);
        // A feature that does not vary is as dependent as the others, and changes nothing for them.
        let constant = estimates(&[of([5; 500]), of(smooth(500, 8, 0))], &[]);
        are(&constant, &[3.449_481_297_416_804, 3.449_481_297_416_804]);
        are(&estimates(&[of(smooth(500, 8, 0))], &[]), &[3.449_481_297_416_804]);
        are(&estimates(&[of([1, 4, 2, 8])], &[]), &[1.0]);
    }

    /// 32 hours of four rows in two stretches each; eight hours in a row are nearly alike.
    fn in_hours(from: u64) -> (Blocks, Vec<(i64, HourSum)>) {
        let scrambled = |number: u64| (from + number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
        let (mut blocks, mut hours) = (Blocks::default(), Vec::new());
        for hour in 0..32 {
            let rows: Vec<u64> = (0..4).map(|row| (7 * scrambled(hour / 8) + scrambled(1_000 * hour + row)) / 8).collect();
            for stretch in rows.chunks(2) {
                blocks.extend(&stretch.iter().map(|rank| u16::try_from(*rank).unwrap()).collect::<Vec<_>>());
                blocks.close();
            }
            hours.push((i64::try_from(hour).unwrap(), HourSum { rows: 4, ranks: rows.iter().sum() }));
        }
        (blocks, hours)
    }

    /// As [`design_effects_are_those_of_the_definition`].
    #[test]
    fn blocks_of_hours_go_on_to_the_last_level_with_four_of_them() {
        let ((one, hours_of_one), (other, hours_of_other)) = (in_hours(3), in_hours(500));
        let found = super::estimates(std::slice::from_ref(&one), std::slice::from_ref(&hours_of_one), &[]);
        assert!((found[0].design_effect - 62.328_192_137_750_72).abs() < 1e-9, "{found:?}");
        let found = super::estimates(&[one, other], &[hours_of_one, hours_of_other], &[]);
        assert!((found[0].design_effect - 62.383_446_537_689_3).abs() < 1e-9, "{found:?}");
        assert!((found[1].design_effect - 62.493_955_337_566_46).abs() < 1e-9, "{found:?}");
    }

    /// As [`design_effects_are_those_of_the_definition`], with rows and ranks summed by `hour >> depth`.
    #[test]
    fn the_hours_of_a_block_are_neighbours_by_the_clock_and_those_without_rows_are_none() {
        let sums = [(-5, 3, 30), (-4, 2, 55), (-3, 4, 100), (-1, 5, 40), (0, 0, 0), (2, 1, 70), (3, 2, 10), (4, 6, 600)];
        let hours = sums.map(|(hour, rows, ranks)| (hour, HourSum { rows, ranks }));
        let expected =
            [(176.790_992_027_615_72, 3.285_714_285_714_285_6), (187.797_731_568_998_13, 4.6), (229.788_882_496_369_98, 5.75)];
        for (depth, (inefficiency, rows)) in expected.into_iter().enumerate() {
            let found = Hours(&hours).inefficiency(depth, 50.0).unwrap();
            assert!((found.0 - inefficiency).abs() < 1e-9 && (found.1 - rows).abs() < 1e-12, "{found:?}");
        }
        // −5 to −1, and 0 to 4.
        assert_eq!(Hours(&hours).inefficiency(3, 50.0), None);
    }

    #[test]
    fn the_mean_curve_goes_on_with_hours_where_these_are_half_as_long_again() {
        let curve = |by_rows: &[f64], by_hours: &[(f64, f64)]| Curve { by_rows: by_rows.to_vec(), by_hours: by_hours.to_vec() };
        // The longest blocks of rows are of eight: hours of 10 rows say nothing new, those of 12 on do.
        let curves = [
            curve(&[1.0, 2.0, 3.0, 4.0], &[(5.0, 10.0), (6.0, 11.0), (8.0, 24.0)]),
            curve(&[1.0, 4.0], &[(5.0, 10.0), (7.0, 13.0)]),
            curve(&[], &[]),
        ];
        let found: Vec<(f64, bool)> =
            steps(&curves).iter().map(|step| (step.inefficiency, matches!(step.level, Length::Hours(_)))).collect();
        assert_eq!(found, [(1.0, false), (3.0, false), (3.0, false), (4.0, false), (6.5, true), (8.0, true)]);
        assert!(steps(&[curve(&[], &[])]).is_empty());
    }

    #[test]
    fn a_window_of_as_many_stretches_as_tell_speaks_for_itself() {
        let known = Estimate { method: Method::Blocks, design_effect: 8.0, ..Estimate::INDEPENDENT };
        let of_rows = |rows: u64| estimates(&[of(scrambled(rows))], &[known])[0].design_effect;
        // 50 stretches of 8 rows.
        assert!((of_rows(399) - 8.0).abs() < 1e-12 && of_rows(400) < 4.0, "{} {}", of_rows(399), of_rows(400));
    }

    #[test]
    fn every_level_counts_the_blocks_from_the_first_row_on() {
        let ranks = scrambled(40_001);
        let narrow: Vec<u16> = ranks.iter().map(|rank| u16::try_from(*rank).unwrap()).collect();
        let (mut at_once, mut in_pieces) = (Blocks::default(), Blocks::default());
        at_once.extend(&narrow);
        for piece in narrow.chunks(5_003) {
            in_pieces.extend(piece);
        }
        assert_eq!(at_once, in_pieces);
        // 2^15 rows are the longest block.
        assert_eq!(at_once.levels().filter(|level| level.blocks > 0).count(), 16);
        for (depth, level) in (0..16).zip(at_once.levels()) {
            let sums: Vec<u128> =
                ranks.chunks_exact(1 << depth).map(|block| block.iter().map(|rank| u128::from(*rank)).sum()).collect();
            let squares = sums.iter().map(|sum| sum * sum).sum();
            assert_eq!(level, LevelSums { blocks: sums.len() as u64, sum: sums.iter().sum(), squares });
        }
    }

    #[test]
    fn what_follows_goes_on_with_the_stretch_that_was_not_closed() {
        let of = |stretches: &[&[u16]]| {
            let mut blocks = Blocks::default();
            for (number, stretch) in stretches.iter().enumerate() {
                if number > 0 {
                    blocks.close();
                }
                blocks.extend(stretch);
            }
            blocks
        };
        let mut first = of(&[&[3, 1, 4, 1, 5]]);
        first.close();
        first.follow(&of(&[&[9, 2, 6, 5, 3, 5, 8], &[7, 7, 4]]));
        first.extend(&[6, 2]);
        assert_eq!(first, of(&[&[3, 1, 4, 1, 5], &[9, 2, 6, 5, 3, 5, 8], &[7, 7, 4, 6, 2]]));
    }

    #[test]
    fn packed_blocks_read_back_and_what_no_ranks_come_to_is_refused() {
        let read = |levels: &[LevelSums]| {
            let (mut blocks, mut packer) = (Blocks::default(), Packer::default());
            blocks.add(levels.iter().copied());
            blocks.pack(&mut packer);
            let bytes = packer.into_bytes();
            let mut unpacker = Unpacker::new(&bytes);
            let read = Blocks::unpack(&mut unpacker)?;
            assert!(unpacker.is_empty() && read == blocks);
            Some(read)
        };
        assert!(read(&[]).is_some());
        assert!(
            read(&[LevelSums { blocks: 7, sum: 8, squares: 9 }, LevelSums { blocks: 3, sum: MOST - 1, squares: MOST - 1 }])
                .is_some()
        );
        assert!(read(&[LevelSums { blocks: 7, sum: MOST, squares: 9 }]).is_none());
        assert!(read(&[LevelSums { blocks: 7, sum: 8, squares: MOST }]).is_none());
        assert!(read(&[LevelSums::default(); LEVELS]).is_some());
        let mut longer = Packer::default();
        longer.length(LEVELS + 1);
        (0..3 * (LEVELS + 1)).for_each(|_| longer.count(0));
        assert_eq!(Blocks::unpack(&mut Unpacker::new(&longer.into_bytes())), None);
    }
}
