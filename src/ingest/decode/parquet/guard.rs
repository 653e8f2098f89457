//! Calls that may panic, without a panic: not in the caller, and not on stderr either, where the log holds one JSON object a line.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What the call gives, or `None` when it panics. Whatever the call had in its hands is then to be dropped, not used.
pub(super) fn call<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                usual(info);
            }
        }));
    });
    GUARDED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(false);
    // The payload only repeats what a corrupt object made the callee stumble over.
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_at_the_guard() {
        let empty: [u8; 0] = [];
        assert_eq!(call(|| empty.iter().copied().next().unwrap()), None);
        assert_eq!(call(|| 7), Some(7));
        // The next panic is heard again.
        assert!(!GUARDED.get());
    }
}
