//! The newest rows: a value of each, in bounded memory. Which rows are kept does not depend on the order in which they come.

use super::packed::{Packer, Unpacker};

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecentRow {
    /// In microseconds since the epoch.
    pub moment_us: i64,
    /// Finite.
    pub value: f64,
    /// Rows of one group are not independent; 0 where nothing tells.
    pub group: u64,
}

impl RecentRow {
    /// The newest first; rows of one moment by what they hold, so that merging gives the same in any order.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let newer = other.moment_us.cmp(&self.moment_us);
        newer.then(self.value.total_cmp(&other.value)).then(self.group.cmp(&other.group))
    }
}

/// At most `capacity` rows, the newest that were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    capacity: usize,
    /// Up to twice the capacity, so that sorting is rare.
    rows: Vec<RecentRow>,
    /// The oldest of as many rows as are kept.
    oldest_us: Option<i64>,
}

impl Recent {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, rows: Vec::new(), oldest_us: None }
    }

    /// Whether a row of this moment can be among the newest, as far as can be told at a glance.
    pub fn may_keep(&self, moment_us: i64) -> bool {
        self.oldest_us.is_none_or(|oldest| moment_us >= oldest)
    }

    pub fn push(&mut self, row: RecentRow) {
        if self.capacity == 0 {
            return;
        }
        if self.rows.len() >= 2 * self.capacity {
            self.shrink();
        }
        self.rows.push(row);
    }

    pub fn merge(&mut self, other: &Self) {
        for row in &other.rows {
            self.push(*row);
        }
    }

    fn shrink(&mut self) {
        self.rows.sort_unstable_by(RecentRow::order);
        self.rows.truncate(self.capacity);
        self.oldest_us = self.rows.last().filter(|_| self.is_full()).map(|row| row.moment_us);
    }

    /// The rows that are kept, the newest first.
    pub fn newest_first(&self) -> Vec<RecentRow> {
        let mut kept = self.clone();
        kept.shrink();
        kept.rows
    }

    pub fn pack(&self, to: &mut Packer) {
        let rows = self.newest_first();
        to.length(rows.len());
        for row in rows {
            to.signed(row.moment_us.into());
            to.double(row.value);
            to.count(row.group);
        }
    }

    /// What was packed with the same capacity; `None` where it was not.
    pub fn unpack(capacity: usize, from: &mut Unpacker<'_>) -> Option<Self> {
        let mut recent = Self::new(capacity);
        for _ in 0..from.length().filter(|rows| *rows <= capacity)? {
            let moment_us = i64::try_from(from.signed()?).ok()?;
            let value = from.double().filter(|value| value.is_finite())?;
            recent.push(RecentRow { moment_us, value, group: from.count()? });
        }
        Some(recent)
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether as many rows are kept as asked for.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= self.capacity
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_newest_rows_are_kept_however_they_are_split(
            moments in prop::collection::vec((0_i64..50, 0_u8..4), 0..60), capacity in 0_usize..12, split in 0_usize..60,
        ) {
            let rows: Vec<RecentRow> = moments
                .iter()
                .map(|(moment_us, value)| RecentRow { moment_us: *moment_us, value: f64::from(*value), group: 0 })
                .collect();
            let mut sorted = rows.clone();
            sorted.sort_by(RecentRow::order);
            sorted.truncate(capacity);
            let (first, second) = rows.split_at(split.min(rows.len()));
            let mut parts = [first, second].map(|part| {
                let mut recent = Recent::new(capacity);
                for row in part {
                    recent.push(*row);
                }
                recent
            });
            let [first, second] = &mut parts;
            second.merge(first);
            prop_assert_eq!(second.newest_first(), sorted);
        }
    }

    proptest! {
        #[test]
        fn nor_does_it_matter_in_which_order_they_come(
            (rows, shuffled) in prop::collection::vec((0_i64..20, 0_u8..4, 0_u64..3), 0..80)
                .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
            capacity in 0_usize..12,
            part_rows in 1_usize..80,
        ) {
            let of = |rows: &[(i64, u8, u64)]| {
                let mut recent = Recent::new(capacity);
                for (moment_us, value, group) in rows {
                    recent.push(RecentRow { moment_us: *moment_us, value: f64::from(*value), group: *group });
                }
                recent
            };
            let whole = of(&rows).newest_first();
            let mut merged = Recent::new(capacity);
            for part in shuffled.chunks(part_rows) {
                merged.merge(&of(part));
            }
            prop_assert_eq!(merged.newest_first(), whole);
        }
    }

    fn of(moments: impl IntoIterator<Item = i64>, capacity: usize) -> Recent {
        let mut recent = Recent::new(capacity);
        for moment_us in moments {
            recent.push(RecentRow { moment_us, value: 0.5, group: moment_us.unsigned_abs() + 1 });
        }
        recent
    }

    #[test]
    fn rows_are_sorted_only_when_there_are_twice_as_many_as_are_kept() {
        assert_eq!(of(0..10, 5).rows.len(), 10);
        assert_eq!(of(0..11, 5).rows.len(), 6);
        assert_eq!(of(0..1_000, 5).newest_first().iter().map(|row| row.moment_us).collect::<Vec<_>>(), [999, 998, 997, 996, 995]);
        assert!(of(0..3, 0).is_empty());
    }

    #[test]
    fn what_is_older_than_as_many_rows_as_are_kept_need_not_be_looked_at() {
        let recent = of(0..11, 5);
        assert!(recent.may_keep(5) && !recent.may_keep(4));
        assert!(of(0..10, 5).may_keep(i64::MIN), "nothing was sorted yet");
    }

    #[test]
    fn it_is_full_with_as_many_rows_as_asked_for() {
        assert!(!of(0..4, 5).is_full() && of(0..5, 5).is_full());
        assert!(of([], 5).is_empty() && !of([7], 5).is_empty());
        assert_eq!(of(0..3, 5).capacity(), 5);
    }

    #[test]
    fn packed_rows_read_back_and_more_than_are_kept_are_refused() {
        let read = |recent: &Recent, capacity: usize| {
            let mut packer = Packer::default();
            recent.pack(&mut packer);
            Recent::unpack(capacity, &mut Unpacker::new(&packer.into_bytes()))
        };
        let recent = of([-3, 9, 4], 3);
        assert_eq!(read(&recent, 3).unwrap().newest_first(), recent.newest_first());
        assert_eq!(read(&recent, 2), None);
        let mut broken = recent.clone();
        broken.rows[0].value = f64::NAN;
        assert_eq!(read(&broken, 3), None);
    }
}
