//! Distances between two discrete distributions over the PSI cells.

use super::psi::Cell;

/// The Jensen–Shannon distance with base 2: the root of the mean relative entropy to the midpoint, in [0, 1], 0 when equal.
///
/// Over unsmoothed proportions. `None` when either side has no row. Lin (1991), doi:10.1109/18.61115. Oracle:
/// `scipy.spatial.distance.jensenshannon(p, q, base=2)`.
pub fn distance(cells: &[Cell]) -> Option<f64> {
    let divergence: f64 = proportions(cells)?
        .map(|(p, q)| {
            let middle = f64::midpoint(p, q);
            let part = |x: f64| if x > 0.0 { x * (x / middle).log2() } else { 0.0 };
            f64::midpoint(part(p), part(q))
        })
        .sum();
    // Rounding may leave a sum of zeros a hair below zero.
    Some(divergence.clamp(0.0, 1.0).sqrt())
}

/// The total variation distance: half the sum of the absolute differences, in [0, 1]. `None` when either side has no row.
pub fn total_variation(cells: &[Cell]) -> Option<f64> {
    let sum: f64 = proportions(cells)?.map(|(p, q)| (p - q).abs()).sum();
    Some((sum / 2.0).clamp(0.0, 1.0))
}

fn proportions(cells: &[Cell]) -> Option<impl Iterator<Item = (f64, f64)>> {
    let n: u64 = cells.iter().map(|cell| cell.reference).sum();
    let m: u64 = cells.iter().map(|cell| cell.current).sum();
    (n > 0 && m > 0).then(|| cells.iter().map(move |cell| (cell.reference as f64 / n as f64, cell.current as f64 / m as f64)))
}

#[cfg(test)]
mod tests {
    use super::super::psi::CellLabel;
    use super::*;

    fn cells(counts: &[(u64, u64)]) -> Vec<Cell> {
        counts.iter().map(|&(reference, current)| Cell { label: CellLabel::Other, reference, current }).collect()
    }

    #[test]
    fn half_of_what_moved_is_the_total_variation() {
        // p = (1/2, 1/2, 0), q = (1/4, 1/4, 1/2): (1/4 + 1/4 + 1/2) / 2.
        assert_eq!(total_variation(&cells(&[(10, 1), (10, 1), (0, 2)])), Some(0.5));
        assert_eq!(total_variation(&cells(&[(3, 0), (0, 7)])), Some(1.0));
        assert_eq!(total_variation(&cells(&[(3, 6), (1, 2)])), Some(0.0));
    }

    #[test]
    fn without_rows_on_either_side_there_is_no_distance() {
        for empty in [cells(&[(3, 0), (4, 0)]), cells(&[(0, 3)]), cells(&[(0, 0)]), cells(&[])] {
            assert_eq!((distance(&empty), total_variation(&empty)), (None, None), "{empty:?}");
        }
    }
}
