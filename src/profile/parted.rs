//! Values by the part of the grid in which they lie, so that what is looked up and counted for one part stays in the nearest caches.
//!
//! A grid of 65,536 knots takes two megabytes with its cells and ranks. Values as they come are all over it, and each waits for several
//! lines of memory; values of one part share a few kilobytes. Counts are sums: the order of the values changes nothing.

use super::locator::{CHUNK, Locator, NO_PART, PARTS};

/// Fewer values leave most of a part's memory to be fetched for one value alone.
pub const WORTH_IT: usize = 1 << 15;

/// Finite values with their rows, part after part.
pub struct Parted {
    values: Vec<f64>,
    rows: Vec<u32>,
    /// Of each part; the last one is that of all values.
    ends: [usize; PARTS],
}

impl Parted {
    /// Parts values; those that are not finite are left out. `None` of more values than a row number holds.
    #[expect(clippy::indexing_slicing, reason = "a byte is an index of either table")]
    pub fn of(locator: &Locator, values: &[f64]) -> Option<Self> {
        u32::try_from(values.len()).ok()?;
        let mut parts = vec![NO_PART; values.len()];
        let mut lengths = [0_usize; 256];
        for (values, parts) in values.chunks(CHUNK).zip(parts.chunks_mut(CHUNK)) {
            locator.parts(values, parts);
            for part in parts {
                lengths[usize::from(*part)] += 1;
            }
        }
        let (mut next, mut ends, mut end) = ([usize::MAX; 256], [0; PARTS], 0);
        for ((next, part_end), length) in next.iter_mut().zip(&mut ends).zip(lengths) {
            *next = end;
            end += length;
            *part_end = end;
        }
        let mut parted = Self { values: vec![0.0; end], rows: vec![0; end], ends };
        for ((value, part), row) in values.iter().zip(&parts).zip(0_u32..) {
            let place = &mut next[usize::from(*part)];
            // Those of no part have no place.
            if let (Some(to), Some(to_row)) = (parted.values.get_mut(*place), parted.rows.get_mut(*place)) {
                (*to, *to_row) = (*value, row);
                *place += 1;
            }
        }
        Some(parted)
    }

    /// The values of each part with their rows, a chunk at a time.
    pub fn chunks(&self) -> impl Iterator<Item = (&[f64], &[u32])> {
        let starts = std::iter::once(0).chain(self.ends);
        starts.zip(self.ends).flat_map(|(start, end)| {
            let values = self.values.get(start..end).unwrap_or_default();
            values.chunks(CHUNK).zip(self.rows.get(start..end).unwrap_or_default().chunks(CHUNK))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::Grid;
    use super::*;

    #[test]
    fn every_finite_value_is_in_one_part_with_its_row_and_parts_do_not_overlap() {
        let mut reference: Vec<f64> = (0..20_000).map(|i| f64::from(i * 7_919 % 20_000).powi(2)).collect();
        let locator = Locator::new(&Grid::from_values(&mut reference));
        let mut values: Vec<f64> = (0..3_000).map(|i| f64::from(i * 31 % 3_000) * 1e5 - 1e3).collect();
        values.extend([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX, f64::MIN]);
        let parted = Parted::of(&locator, &values).unwrap();
        let (mut rows, mut highest) = (Vec::new(), f64::NEG_INFINITY);
        let mut start = 0;
        for end in parted.ends {
            let part = &parted.values[start..end];
            assert!(part.iter().all(|value| *value >= highest));
            highest = part.iter().copied().fold(highest, f64::max);
            start = end;
        }
        for (chunk, of) in parted.chunks() {
            assert!(chunk.iter().zip(of).all(|(value, row)| values[*row as usize].to_bits() == value.to_bits()));
            rows.extend_from_slice(of);
        }
        rows.sort_unstable();
        let finite: Vec<u32> = (0..).zip(&values).filter(|(_, value)| value.is_finite()).map(|(row, _)| row).collect();
        assert_eq!(rows, finite);
    }
}
