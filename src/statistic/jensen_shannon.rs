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
