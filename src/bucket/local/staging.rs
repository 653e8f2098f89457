//! Unfinished writes: a hidden file that becomes the object once it is whole, and how those are found that nobody will ever finish.
//!
//! A process that is killed leaves its file behind. The writer of a file holds a lock on it (`flock`) until it has become the object, and
//! the kernel lets go of the lock when the process ends, however it ends: a file that can be locked belongs to nobody. So no clock is
//! asked how old a file is, and a run that is still at work, on this machine or on another that shares the folder, keeps what is its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tempfile::{Builder, TempPath};

/// What the names of unfinished writes begin with. Hidden files are no objects.
const PREFIX: &str = ".drift-check-";

/// A file that holds all bytes of an object, on the disk, and is none yet. It goes away with this value.
#[derive(Debug)]
pub struct Staged {
    file: File,
    path: TempPath,
}

impl Staged {
    pub fn write(folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let (mut file, path) = Builder::new().prefix(PREFIX).make_in(folder, create)?.into_parts();
        // Some mounted folders have no locks: there, nobody can lock it later either, and it is nobody's to remove.
        drop(file.lock());
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(Self { file, path })
    }

    /// Becomes the object. Not found: somebody has removed it who does not see our lock, or saw the file before it had one.
    pub fn rename(self, object: &Path) -> io::Result<()> {
        // By the standard library: its call can be made to fail by a test, that of `tempfile` cannot.
        fs::rename(&self.path, object)?;
        // There is nothing left under the old name to go away.
        self.path.keep().map_err(|error| error.error)?;
        drop(self.file);
        Ok(())
    }
}

/// Removes from a folder what killed processes have left. What cannot be removed stays for the next run: it is no object, and does no harm.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() && fs::remove_file(&path).is_ok() {
            tracing::info!("removed {}, the unfinished write of a run that was killed", path.display());
        }
    }
}

/// Makes a file that was not there. Reports are for others to read; temporary files are private unless told otherwise.
fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o644).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_written_is_whole_before_it_is_seen_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let staged = Staged::write(folder.path(), b"all of it").unwrap();
        let object = folder.path().join("object");
        assert!(!object.exists());
        staged.rename(&object).unwrap();
        assert_eq!((fs::read(&object).unwrap(), names(folder.path())), (b"all of it".to_vec(), vec!["object".to_owned()]));
        drop(Staged::write(folder.path(), b"given up").unwrap());
        assert_eq!(names(folder.path()), ["object"]);
    }

    #[test]
    fn what_nobody_holds_is_removed_and_what_a_writer_holds_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let held = Staged::write(folder.path(), b"at work").unwrap();
        // As a process that is killed leaves it: there, and not locked.
        fs::write(folder.path().join(".drift-check-AbCdEf"), "half of").unwrap();
        fs::write(folder.path().join(".hidden-by-others"), "x").unwrap();
        sweep(folder.path());
        let held_name = held.path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(names(folder.path()), [held_name, ".hidden-by-others".to_owned()]);
        held.rename(&folder.path().join("object")).unwrap();
        assert_eq!(names(folder.path()), [".hidden-by-others", "object"]);
    }
}
