//! When work is worth another thread: to hand a task on and to wait for it takes as long as counting thousands of values.

/// Values of a task at least: some hundred microseconds of counting, of which handing on is a small part.
const VALUES_A_TASK: u64 = 4_096;

/// How many columns of so many rows make a task: the minimal length for rayon. Where there are no more columns, they are done by the thread that asks,
/// without a word to another.
pub fn columns_a_task(rows: u64) -> usize {
    usize::try_from(VALUES_A_TASK / rows.max(1)).map_or(1, |columns| columns.max(1))
}

/// How many threads work on so many columns of so many rows.
pub fn threads(columns: usize, rows: u64) -> usize {
    if columns <= columns_a_task(rows) { 1 } else { rayon::current_num_threads() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn a_task_has_many_values() {
        assert_eq!([0, 1, 100, 3_000, 4_096, 1_000_000].map(columns_a_task), [4_096, 4_096, 40, 1, 1, 1]);
    }

    #[test]
    fn few_values_have_one_thread() {
        let all = rayon::current_num_threads();
        assert_eq!(
            [(16, 100), (40, 100), (41, 100), (1, 4_096), (2, 4_096)].map(|(columns, rows)| threads(columns, rows)),
            [1, 1, all, 1, all]
        );
    }

    /// What rayon does not promise in words.
    #[test]
    fn few_columns_are_done_by_the_thread_that_asks() {
        let threads = Mutex::new(HashSet::new());
        (0..16_u8).into_par_iter().with_min_len(columns_a_task(100)).for_each(|_| {
            threads.lock().unwrap().insert(std::thread::current().id());
        });
        assert_eq!(threads.into_inner().unwrap(), HashSet::from([std::thread::current().id()]));
    }
}
