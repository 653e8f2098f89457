//! Drifted features that move together in the reference, as one probable cause.

use crate::feature::FeatureName;

/// Features whose correlation in the reference is at least this, in either direction, move together.
pub const TOGETHER: f64 = 0.7;

/// Drifted features with one probable cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause<'a> {
    /// At least two, in the order in which they were given.
    pub features: Vec<&'a FeatureName>,
    /// The smallest |ρ| in the reference among the pairs that tie them together, at least [`TOGETHER`].
    pub weakest: f64,
}

/// Groups the features in which a chain of pairs that move together leads from each to each. `correlations` are the reference's.
pub fn causes<'a>(
    drifted: &[&'a FeatureName],
    correlations: impl Iterator<Item = (&'a FeatureName, &'a FeatureName, f64)>,
) -> Vec<Cause<'a>> {
    let position = |name: &FeatureName| drifted.iter().position(|known| *known == name);
    // The group of each feature, named by the position of one of its members.
    let mut group: Vec<usize> = (0..drifted.len()).collect();
    let mut ties: Vec<(usize, f64)> = Vec::new();
    for (a, b, correlation) in correlations.filter(|(.., correlation)| correlation.abs() >= TOGETHER) {
        let (Some(a), Some(b)) = (position(a), position(b)) else { continue };
        ties.push((a, correlation.abs()));
        let of = |group: &[usize], index: usize| group.get(index).copied().unwrap_or(index);
        let (into, from) = (of(&group, a), of(&group, b));
        group.iter_mut().filter(|member| **member == from).for_each(|member| *member = into);
    }
    let mut causes: Vec<Cause<'a>> = Vec::new();
    for name in 0..drifted.len() {
        let members = || drifted.iter().zip(&group).filter(move |(_, member)| **member == name);
        if members().count() > 1 {
            let own = ties.iter().filter(|(at, _)| group.get(*at) == Some(&name)).map(|(_, tie)| *tie);
            causes.push(Cause { features: members().map(|(feature, _)| *feature).collect(), weakest: own.fold(1.0, f64::min) });
        }
    }
    causes.sort_by_key(|cause| cause.features.first().and_then(|first| position(first)));
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> [FeatureName; N] {
        names.map(FeatureName::new)
    }

    #[test]
    fn a_chain_of_pairs_is_one_cause() {
        let [a, b, c, d, e] = &names(["a", "b", "c", "d", "e"]);
        let found = causes(&[a, b, c, d], [(a, b, 0.9), (b, c, -0.75), (c, d, 0.3), (d, e, 0.99)].into_iter());
        assert_eq!(found, [Cause { features: vec![a, b, c], weakest: 0.75 }]);
    }

    #[test]
    fn two_pairs_are_two_causes_in_the_order_of_their_features() {
        let [a, b, c, d] = &names(["a", "b", "c", "d"]);
        let found = causes(&[a, b, c, d], [(b, d, 0.8), (a, c, 0.7)].into_iter());
        let found: Vec<Vec<&FeatureName>> = found.into_iter().map(|cause| cause.features).collect();
        assert_eq!(found, [vec![a, c], vec![b, d]]);
    }

    #[test]
    fn one_drifted_feature_is_no_group() {
        let [a, b] = &names(["a", "b"]);
        assert!(causes(&[a], [(a, b, 0.9)].into_iter()).is_empty());
        assert!(causes(&[], std::iter::empty()).is_empty());
    }

    #[test]
    fn ties_that_join_two_groups_make_them_one_with_the_weakest_of_all() {
        let [a, b, c, d, e] = &names(["a", "b", "c", "d", "e"]);
        let found = causes(&[e, d, c, b, a], [(a, b, 0.9), (c, d, 0.8), (b, c, 0.71), (a, e, 0.69)].into_iter());
        assert_eq!(found, [Cause { features: vec![d, c, b, a], weakest: 0.71 }]);
        // The weakest is that of the own group.
        let found = causes(&[a, b, c, d], [(a, b, 0.9), (c, d, -0.8)].into_iter());
        assert_eq!(found, [Cause { features: vec![a, b], weakest: 0.9 }, Cause { features: vec![c, d], weakest: 0.8 }]);
    }
}
