//! Lets runs of the real binary meet their end, or a disk that fails, at a step of their own: see `interposer.c`, which is compiled once by
//! this process, with the compiler that Rust links with.
//!
//! `tempfile` and its kin make some calls past the C library; what they do lies between two steps that count.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What a disk answers when it does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno {
    pub name: &'static str,
    pub number: i32,
    /// What is to be read of it.
    pub words: &'static str,
}

pub const ENOSPC: Errno = Errno { name: "ENOSPC", number: 28, words: "No space left on device" };
pub const EROFS: Errno = Errno { name: "EROFS", number: 30, words: "Read-only file system" };
pub const EIO: Errno = Errno { name: "EIO", number: 5, words: "Input/output error" };
pub const EDQUOT: Errno = Errno { name: "EDQUOT", number: 122, words: "quota exceeded" };

/// What happens to a run; steps count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Its steps are counted.
    Nothing,
    /// It is killed before this step.
    Kill(u32),
    /// It is killed when half of this write is done; only writes count.
    Half(u32),
    /// This step fails.
    Fail(u32, Errno),
    /// So do all from this one on.
    From(u32, Errno),
    /// This opening or reading of a file fails; only these count.
    Read(u32, Errno),
    /// From this time on that it asks, the wall clock is so many seconds ahead; only these count.
    Clock(u32, i64),
}

impl Plan {
    fn words(self) -> String {
        match self {
            Self::Nothing => "none 0 0".to_owned(),
            Self::Kill(step) => format!("kill {step} 0"),
            Self::Half(write) => format!("half {write} 0"),
            Self::Fail(step, errno) => format!("fail {step} {}", errno.number),
            Self::From(step, errno) => format!("from {step} {}", errno.number),
            Self::Read(step, errno) => format!("read {step} {}", errno.number),
            Self::Clock(time, seconds) => format!("clock {time} {seconds}"),
        }
    }

    /// Which step it is about.
    pub fn step(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Kill(step) | Self::Half(step) | Self::Fail(step, _) | Self::From(step, _) | Self::Read(step, _) => step,
            Self::Clock(time, _) => time,
        }
    }
}

/// Lets a command run by a plan in its working directory. `log` is outside of that, and new.
pub fn under(command: &mut Command, plan: Plan, root: &Path, log: &Path) {
    command.env("LD_PRELOAD", library()).env("INTERPOSER_PLAN", plan.words());
    command.env("INTERPOSER_ROOT", root.canonicalize().unwrap()).env("INTERPOSER_LOG", log);
}

/// The steps that a run has come to, `CALL OBJECT`, in order.
pub fn steps(log: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let mut numbered: Vec<(u32, String)> = log
        .lines()
        .filter_map(|line| {
            let (number, step) = line.split_once(' ')?;
            Some((number.parse().ok()?, step.trim_end().to_owned()))
        })
        .collect();
    // Threads write their lines in any order.
    numbered.sort();
    numbered.into_iter().map(|(_, step)| step).collect()
}

fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/interposer.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interposer.so");
        let new = library.with_extension(std::process::id().to_string());
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-U_FORTIFY_SOURCE"]);
        let compiled = compiler.arg("-o").arg(&new).arg(&source).arg("-ldl").output();
        let compiled = compiled.unwrap_or_else(|error| panic!("cannot run cc, which Rust links with too: {error}"));
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        // Whoever uses an older one at this moment keeps that.
        std::fs::rename(&new, &library).unwrap();
        library
    })
}

/// Calls `work` with 1, 2, 3, … on two threads, until it says of a number that there was nothing left to do; gives what it gave before.
pub fn in_turn<T: Send>(work: impl Fn(u32) -> Option<T> + Sync) -> Vec<T> {
    let (next, is_over) = (AtomicU32::new(1), AtomicBool::new(false));
    let one = || {
        let mut done = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            let number = next.fetch_add(1, Ordering::SeqCst);
            match work(number) {
                Some(found) => done.push((number, found)),
                None => is_over.store(true, Ordering::SeqCst),
            }
        }
        done
    };
    let mut done: Vec<(u32, T)> = std::thread::scope(|scope| {
        let threads = [scope.spawn(one), scope.spawn(one)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, found)| found).collect()
}

/// Calls `work` with each of them, on two threads.
pub fn on_two_threads<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    in_turn(|number| all.get(number as usize - 1).map(&work));
}
