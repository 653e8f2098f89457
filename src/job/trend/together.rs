//! Earlier windows counted in one reading of the logs: an object whose rows lie in two of them is read once.
//!
//! A window counts as it would alone, or it is left to be read alone.

use super::Context;
use crate::bucket::{BucketError, ObjectMeta};
use crate::ingest;
use crate::ingest::account::ObjectAccount;
use crate::ingest::cache;
use crate::ingest::select::Selection;
use crate::ingest::sink::windows::{ByWindow, OfWindow};
use crate::job::current::{Counting, Logs};
use crate::profile::{FeatureProfile, ReferenceProfile};
use crate::window::Window;

/// Cells of all windows that are counted together: 16 MiB, and four times that where all of them fill.
const MOST_CELLS: usize = 1 << 21;

/// Windows that are counted together: what is lost where the bucket fails, or the run is stopped.
const MOST_WINDOWS: usize = 8;

/// Windows, the newest first, in groups that follow one another and that the memory has room for.
pub fn groups<'a>(windows: &'a [Window], profile: &ReferenceProfile) -> impl Iterator<Item = &'a [Window]> {
    let cells = |feature: &FeatureProfile| match feature {
        FeatureProfile::Numeric { grid, .. } => grid.knots().len() + 1,
        FeatureProfile::Categorical { categories, .. } => categories.cell_names().len(),
    };
    let of_a_window: usize = profile.features.iter().map(|(_, feature)| cells(feature)).sum();
    let most = (MOST_CELLS / of_a_window.max(1)).clamp(1, MOST_WINDOWS);
    windows.chunk_by(|newer, older| older.end == newer.start).flat_map(move |windows| windows.chunks(most))
}

/// Counts a group of windows, one for each; `None` for those that are to be read alone.
pub async fn count(
    context: &Context<'_>,
    logs: &Logs<'_>,
    counting: &Counting,
    windows: &[Window],
) -> Result<Vec<Option<OfWindow>>, BucketError> {
    let (Some(newest), Some(oldest)) = (windows.first(), windows.last()) else { return Ok(Vec::new()) };
    if newest == oldest || logs.engine().database().is_some() {
        return Ok(windows.iter().map(|_| None).collect());
    }
    let range = Window { start: oldest.start, end: newest.end };
    let source = logs.source_of(Some(range));
    let step = context.invocation.progress.bytes("reading earlier windows", source.size_bytes());
    let (request, empty) = (counting.request(Some(range)), ByWindow::new(&counting.empty, windows));
    let (counted, account) = ingest::read(&source, request, empty, logs.concurrency(), &|bytes| step.advance(bytes)).await?;
    let objects: Vec<(&ObjectMeta, &ObjectAccount)> = source.objects.iter().zip(&account.objects).collect();
    let (selection, most) = (logs.selection(), context.config.logs.max_rejected_fraction);
    let is_alike = |counted: &OfWindow| {
        let rejected = objects.iter().map(|(meta, account)| rejected(&selection, meta, account, counted.window));
        // Which of the rejected rows are the window's is not known: if all of them were, would it still be used?
        let enough = |rejected: u64| rejected as f64 <= most * (counted.rows + rejected) as f64;
        counted.counter.is_of_one_type() && rejected.sum::<Option<u64>>().is_some_and(enough)
    };
    Ok(counted.windows.into_iter().map(|counted| Some(counted).filter(is_alike)).collect())
}

/// How many rows of an object were rejected, in this window or another, headers aside; `None` where it might give something else to the
/// window by itself than beside others.
fn rejected(selection: &Selection, meta: &ObjectMeta, account: &ObjectAccount, window: Window) -> Option<u64> {
    let is_asked = selection.may_hold(meta, window);
    let Ok(tally) = &account.outcome else { return (!is_asked).then_some(0) };
    let (moments, ends) = (window.micros(), tally.oldest_us.zip(tally.course.latest_us));
    let holds_rows = ends.is_some_and(|(oldest_us, latest_us)| oldest_us < moments.end && moments.start <= latest_us);
    // By itself the window looks for its rows where the keys tell it to.
    let is_alike = !holds_rows || (is_asked && cache::counts_alike(tally));
    is_alike.then(|| if is_asked { tally.rejected.total() - tally.rejected.headers() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{ColumnBatch, FeatureKind, FeatureName};
    use crate::profile::builder::ProfileBuilder;

    /// Of so many numeric features with so many values each.
    fn profile(features: usize, values: u32) -> ReferenceProfile {
        let names: Vec<_> = (0..features).map(|number| (FeatureName::new(format!("f{number}")), FeatureKind::Numeric)).collect();
        let values: Vec<f64> = (0..values).map(f64::from).collect();
        let mut builder = ProfileBuilder::new(&names);
        builder.update(names.iter().map(|_| ColumnBatch::Numeric(&values)));
        builder.finish(Vec::new())
    }

    #[test]
    fn groups_hold_what_follows_one_another_and_the_memory_has_room_for() {
        let end = "2026-01-31T00:00:00Z".parse().unwrap();
        let newest = Window::ending_at(end, "6h".parse().unwrap());
        let mut windows: Vec<Window> = std::iter::successors(Some(newest), |window| Some(window.previous())).take(20).collect();
        // The store knows one of them.
        windows.remove(3);
        let sizes = |profile: &ReferenceProfile| groups(&windows, profile).map(<[Window]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&profile(0, 0)), [3, 8, 8]);
        assert_eq!(sizes(&profile(2, 100)), [3, 8, 8]);
        // 2^21 cells: 8 windows of 4 features with 60,001 cells each, 4 of 8 features, and one window however large it is.
        assert_eq!(sizes(&profile(4, 60_000)), [3, 8, 8]);
        assert_eq!(sizes(&profile(8, 60_000)), [3, 4, 4, 4, 4]);
        assert_eq!(sizes(&profile(36, 60_000)), [1; 19]);
    }
}
