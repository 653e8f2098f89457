//! A folder as a bucket.

pub mod reading;
mod staging;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use flate2::Crc;

use super::{Access, BucketError, Condition, Content, FileStamp, Generation, ObjectMeta, OpenObject, Put, StoredObject, check_key};
use reading::{InOrder, NearRanges, Reading};
use staging::{Staged, sweep};

/// How often a write is begun again because somebody removed what was written of it: once or twice would do.
const TRIES: u32 = 4;

/// A folder; keys are paths below it.
#[derive(Clone, Debug)]
pub struct LocalBucket {
    folder: PathBuf,
}

impl LocalBucket {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub fn uri(&self, key: &str) -> String {
        format!("file:{}", self.folder.join(key).display())
    }

    fn path(&self, key: &str) -> Result<PathBuf, BucketError> {
        let path = Path::new(key);
        let stays_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        check_key(key.trim_end_matches('/'))?;
        if stays_inside { Ok(self.folder.join(path)) } else { Err(BucketError::Key(key.to_owned())) }
    }

    /// Hidden files are no objects: editors and unfinished writes leave them.
    pub fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, BucketError> {
        let io = |source| BucketError::Io { action: "list", uri: self.uri(prefix), source };
        // A bucket that is not there is an error; a prefix that is not there is an empty list.
        fs::metadata(&self.folder).map_err(io)?;
        if !prefix.is_empty() && self.path(prefix)?.is_file() {
            return Ok(vec![self.meta(&self.path(prefix)?).map_err(io)?]);
        }
        let start = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let start = if start.is_empty() { self.folder.clone() } else { self.path(start)? };
        let (mut objects, mut visited) = (Vec::new(), BTreeSet::new());
        if start.exists() {
            self.walk(&start, prefix, &mut objects, &mut visited).map_err(io)?;
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    fn walk(
        &self,
        folder: &Path,
        prefix: &str,
        objects: &mut Vec<ObjectMeta>,
        visited: &mut BTreeSet<(u64, u64)>,
    ) -> std::io::Result<()> {
        // A link to a folder may lead back to where we are.
        let itself = fs::metadata(folder)?;
        if !visited.insert((itself.dev(), itself.ino())) {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let key = self.key(&path);
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // What is no link is known from its folder: there are many files, and each costs one look for its size already.
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => path.is_dir(),
            };
            if is_folder {
                let below = format!("{key}/");
                if below.starts_with(prefix) || prefix.starts_with(&below) {
                    self.walk(&path, prefix, objects, visited)?;
                }
            } else if key.starts_with(prefix) {
                match self.meta(&path) {
                    Ok(meta) => objects.push(meta),
                    // A link that leads nowhere is listed, so that reading it can say so; a file that was just deleted is not.
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        if entry.file_type()?.is_symlink() {
                            objects.push(self.listed(key, 0));
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn meta(&self, path: &Path) -> std::io::Result<ObjectMeta> {
        let metadata = fs::metadata(path)?;
        let key = self.key(path);
        let updated = metadata.modified().ok().map(DateTime::<Utc>::from);
        let changed = u32::try_from(metadata.ctime_nsec()).ok().and_then(|ns| DateTime::from_timestamp(metadata.ctime(), ns));
        let stamp = changed.map(|changed| FileStamp { inode: metadata.ino(), changed });
        Ok(ObjectMeta { updated, stamp, ..self.listed(key, metadata.len()) })
    }

    fn listed(&self, key: String, size_bytes: u64) -> ObjectMeta {
        ObjectMeta { uri: self.uri(&key), key, size_bytes, updated: None, generation: None, stamp: None }
    }

    fn key(&self, path: &Path) -> String {
        let relative = path.strip_prefix(&self.folder).unwrap_or(path);
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    }

    /// Opens an object. Its generation is a digest of its bytes, so that a copied folder has the same generations.
    pub fn read(&self, meta: &ObjectMeta, access: Access) -> Result<OpenObject, BucketError> {
        let path = self.path(&meta.key)?;
        let open = || -> std::io::Result<OpenObject> {
            let reading = Arc::new(Reading::of(File::open(&path)?)?);
            let content = match access {
                Access::Stream => Content::Stream(Box::new(InOrder { reading: Arc::clone(&reading), position: 0 })),
                Access::Ranges => Content::Near(NearRanges { reading: Arc::clone(&reading) }),
            };
            Ok(OpenObject { content, generation: Generation::Digest(reading), is_gzip: false })
        };
        open().map_err(|source| BucketError::Io { action: "read", uri: meta.uri.clone(), source })
    }

    pub fn get(&self, key: &str, most_bytes: u64) -> Result<Option<StoredObject>, BucketError> {
        check_key(key)?;
        let path = self.path(key)?;
        match stored(&path, most_bytes) {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(BucketError::TooLarge { uri: self.uri(key), most_bytes }),
            stored => stored.map_err(|source| BucketError::Io { action: "read", uri: self.uri(key), source }),
        }
    }

    pub fn generation(&self, key: &str) -> Result<Option<String>, BucketError> {
        check_key(key)?;
        let path = self.path(key)?;
        generation_at(&path).map_err(|source| BucketError::Io { action: "read", uri: self.uri(key), source })
    }

    /// Writes to a hidden file, then renames it into place. Writers of one folder wait for each other between looking at the condition
    /// and renaming.
    ///
    /// All hidden files of what lies below a top folder of the bucket (`reports/`) are in that folder, whatever window they are of: one
    /// look before a write finds what any run has left that was killed.
    pub fn put_if(&self, key: &str, bytes: &[u8], condition: &Condition) -> Result<Put, BucketError> {
        check_key(key)?;
        let path = self.path(key)?;
        let write = || -> std::io::Result<Put> {
            let folder = path.parent().unwrap_or(&self.folder);
            self.make(folder)?;
            let top = self.top(key);
            sweep(&top);
            match put_by_way_of(&top, &path, bytes, condition) {
                // The object's own folder is a link, another disk, or the only one that may be written.
                Err(error) if is_elsewhere(&error) && top != folder => {
                    sweep(folder);
                    put_by_way_of(folder, &path, bytes, condition)
                }
                written => written,
            }
        };
        write().map_err(|source| BucketError::Io { action: "write", uri: self.uri(key), source })
    }

    pub fn delete(&self, key: &str) -> Result<(), BucketError> {
        check_key(key)?;
        match fs::remove_file(self.path(key)?) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(BucketError::Io { action: "delete", uri: self.uri(key), source })
            }
            _ => Ok(()),
        }
    }

    /// Makes the folder of an object where it is missing. A link on the way must not lead out of the bucket: whoever may put one there could
    /// have files of others overwritten.
    fn make(&self, folder: &Path) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let bucket = fs::canonicalize(&self.folder)?;
        let standing = folder.ancestors().find(|above| above.exists()).unwrap_or(&self.folder);
        if !fs::canonicalize(standing)?.starts_with(bucket) {
            let why = format!("{} is a link that leads out of the bucket", standing.display());
            return Err(std::io::Error::new(ErrorKind::PermissionDenied, why));
        }
        fs::create_dir_all(folder)
    }

    /// The folder of the bucket that everything with this key's first part lies in.
    fn top(&self, key: &str) -> PathBuf {
        key.split_once('/').map_or_else(|| self.folder.clone(), |(top, _)| self.folder.join(top))
    }
}

fn put_by_way_of(staging: &Path, path: &Path, bytes: &[u8], condition: &Condition) -> std::io::Result<Put> {
    let folder = path.parent().unwrap_or(staging);
    let mut tries = 1..TRIES;
    loop {
        let staged = Staged::write(staging, bytes)?;
        let lock = File::open(folder)?;
        // Some mounted folders have no locks; there, two writers at the very same moment are not kept apart, and the write is whole all
        // the same.
        drop(lock.lock());
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => !path.exists(),
            Condition::Generation(wanted) => generation_at(path)?.as_ref() == Some(wanted),
        };
        if !holds {
            return Ok(Put::Lost);
        }
        match staged.rename(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && tries.next().is_some() => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(Put::Done(generation_of(bytes))),
        }
    }
}

/// Whether a file may be written elsewhere, or renamed from elsewhere.
fn is_elsewhere(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::CrossesDevices | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn open(path: &Path) -> std::io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `FileTooLarge` where it has more than so many bytes.
fn stored(path: &Path, most_bytes: u64) -> std::io::Result<Option<StoredObject>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let size_bytes = file.metadata()?.len();
    let mut bytes = Vec::new();
    if size_bytes <= most_bytes {
        bytes.reserve_exact(usize::try_from(size_bytes).unwrap_or(0));
        // It may grow meanwhile.
        file.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    if size_bytes.max(bytes.len() as u64) > most_bytes {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(Some(StoredObject { generation: generation_of(&bytes), bytes: bytes.into() }))
}

/// Of a file of any size.
fn generation_at(path: &Path) -> std::io::Result<Option<String>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let (mut digest, mut size_bytes) = (Crc::new(), 0);
    let mut reader = BufReader::with_capacity(1 << 18, file);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(Some(reading::generation(&digest, size_bytes)));
        }
        digest.update(bytes);
        let read = bytes.len();
        size_bytes += read as u64;
        reader.consume(read);
    }
}

fn generation_of(bytes: &[u8]) -> String {
    let mut digest = Crc::new();
    digest.update(bytes);
    reading::generation(&digest, bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn bucket() -> (tempfile::TempDir, LocalBucket) {
        let folder = tempfile::tempdir().unwrap();
        let bucket = LocalBucket::new(folder.path().to_owned());
        (folder, bucket)
    }

    fn put(bucket: &LocalBucket, key: &str, bytes: &[u8]) -> Result<Put, BucketError> {
        bucket.put_if(key, bytes, &Condition::Always)
    }

    #[test]
    fn what_is_put_is_listed_and_got() {
        let (_folder, bucket) = bucket();
        for key in ["a/2.csv", "a/1.csv", "a/b/3.csv", "ab.csv", "c.csv"] {
            put(&bucket, key, key.as_bytes()).unwrap();
        }
        let keys = |prefix: &str| bucket.list(prefix).unwrap().into_iter().map(|meta| meta.key).collect::<Vec<_>>();
        assert_eq!(keys("a/"), ["a/1.csv", "a/2.csv", "a/b/3.csv"]);
        assert_eq!(keys("a"), ["a/1.csv", "a/2.csv", "a/b/3.csv", "ab.csv"]);
        assert_eq!(keys("a/b/3.csv"), ["a/b/3.csv"]);
        assert_eq!(keys("nothing/here/"), Vec::<String>::new());
        assert_eq!(bucket.get("a/1.csv", 7).unwrap().unwrap().bytes, b"a/1.csv".as_slice());
        assert_eq!(bucket.get("a/9.csv", 7).unwrap(), None);
    }

    #[test]
    fn no_more_is_read_than_is_asked_for_and_the_generation_is_known_all_the_same() {
        let (_folder, bucket) = bucket();
        put(&bucket, "x.json", b"1234567").unwrap();
        assert_eq!(bucket.get("x.json", 7).unwrap().unwrap().bytes, b"1234567".as_slice());
        let error = bucket.get("x.json", 6).unwrap_err();
        assert!(matches!(error, BucketError::TooLarge { most_bytes: 6, .. }), "{error}");
        assert_eq!(bucket.generation("x.json").unwrap(), Some(generation_of(b"1234567")));
        assert_eq!(bucket.generation("y.json").unwrap(), None);
    }

    #[test]
    fn a_key_cannot_leave_the_bucket() {
        let (_folder, bucket) = bucket();
        for key in ["../escaped", "/etc/passwd", "a/../../escaped", ""] {
            assert!(matches!(put(&bucket, key, b"x"), Err(BucketError::Key(_))), "{key}");
            assert!(matches!(bucket.get(key, 1 << 20), Err(BucketError::Key(_))), "{key}");
        }
    }

    fn hidden(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count()
    }

    #[test]
    fn what_a_killed_run_of_another_window_left_is_removed_by_the_next_write() {
        let (folder, bucket) = bucket();
        put(&bucket, "reports/job/1/report.html", b"x").unwrap();
        let left = folder.path().join("reports/.drift-check-AbCdEf");
        fs::write(&left, "half of a rep").unwrap();
        put(&bucket, "reference/profile.json", b"x").unwrap();
        assert!(left.exists(), "not where nothing is written");
        put(&bucket, "reports/job/2/report.html", b"x").unwrap();
        assert_eq!(hidden(&folder.path().join("reports")), 0);
    }

    /// As a disk that is mounted in the bucket: the hidden file of an object there cannot be renamed from anywhere else.
    #[test]
    fn a_folder_that_is_on_another_disk_is_known_and_has_its_unfinished_writes_in_itself() {
        let (folder, _) = bucket();
        // Another file system than that of the temporary folders, on Linux.
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = elsewhere.path().join("latest.json");
        let by_way_of = |staging: &Path| put_by_way_of(staging, &path, b"x", &Condition::Always);
        assert!(is_elsewhere(&by_way_of(folder.path()).unwrap_err()), "the test needs two file systems");
        assert_eq!((hidden(folder.path()), path.exists()), (0, false));
        by_way_of(elsewhere.path()).unwrap();
        assert_eq!((fs::read(&path).unwrap(), hidden(elsewhere.path())), (b"x".to_vec(), 0));
    }

    #[test]
    fn a_missing_folder_is_an_error_and_not_an_empty_bucket() {
        let (folder, _) = bucket();
        let missing = LocalBucket::new(folder.path().join("missing"));
        assert!(missing.list("predictions/").unwrap_err().is_not_found());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_those_that_lead_nowhere_hide_nothing() {
        use std::os::unix::fs::symlink;
        let (folder, bucket) = bucket();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("3.csv"), "x").unwrap();
        for key in ["p/1.csv", "p/2.csv"] {
            put(&bucket, key, b"x").unwrap();
        }
        symlink("/nowhere", folder.path().join("p/0.csv")).unwrap();
        symlink(elsewhere.path(), folder.path().join("p/linked")).unwrap();
        symlink(folder.path(), folder.path().join("p/loop")).unwrap();
        let keys: Vec<String> = bucket.list("p/").unwrap().into_iter().map(|meta| meta.key).collect();
        assert_eq!(keys, ["p/0.csv", "p/1.csv", "p/2.csv", "p/linked/3.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link_that_leads_out() {
        use std::os::unix::fs::symlink;
        let (folder, bucket) = bucket();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("theirs.json"), "theirs").unwrap();
        put(&bucket, "inside/x.json", b"x").unwrap();
        symlink(elsewhere.path(), folder.path().join("out")).unwrap();
        symlink("inside", folder.path().join("in")).unwrap();
        symlink("/nowhere/at/all", folder.path().join("dangling")).unwrap();
        for key in ["out/new.json", "out/theirs.json", "out/deep/er/new.json", "dangling/new.json"] {
            assert!(matches!(put(&bucket, key, b"ours"), Err(BucketError::Io { .. })), "{key}");
        }
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read(elsewhere.path().join("theirs.json")).unwrap(), b"theirs");
        // One that stays inside is as good as a folder; one in the place of an object is replaced, and not followed.
        put(&bucket, "in/y.json", b"y").unwrap();
        assert!(folder.path().join("inside/y.json").is_file());
        symlink(elsewhere.path().join("theirs.json"), folder.path().join("inside/z.json")).unwrap();
        put(&bucket, "inside/z.json", b"ours").unwrap();
        assert_eq!(std::fs::read(elsewhere.path().join("theirs.json")).unwrap(), b"theirs");
        assert_eq!(std::fs::read(folder.path().join("inside/z.json")).unwrap(), b"ours");
    }

    #[test]
    fn the_generation_follows_the_content() {
        let (_folder, bucket) = bucket();
        let generation = |bytes: &[u8]| {
            put(&bucket, "x.csv", bytes).unwrap();
            bucket.read(&bucket.list("x.csv").unwrap()[0], Access::Stream).unwrap().generation.settle().unwrap().0
        };
        let (first, second, third) = (generation(b"1"), generation(b"2"), generation(b"1"));
        assert_ne!(first, second);
        assert_eq!(first, third);
    }

    /// What is read of a file that is changed while it is read, or why it is not.
    fn read_while(access: Access, change: impl FnOnce(&Path)) -> Result<Vec<u8>, String> {
        let (folder, bucket) = bucket();
        let original = b"a\n1\n2\n3\n4\n";
        put(&bucket, "x.csv", original).unwrap();
        let open = bucket.read(&bucket.list("x.csv").unwrap()[0], access).unwrap();
        // Not within the time in which a clock may stand still.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut bytes = Vec::new();
        let read = match open.content {
            Content::Stream(mut stream) => {
                let mut head = [0; 4];
                stream.read_exact(&mut head).unwrap();
                change(&folder.path().join("x.csv"));
                bytes.extend(head);
                stream.read_to_end(&mut bytes).map(drop)
            }
            Content::Near(ranges) => {
                ranges.get_into(4..10, &mut bytes).unwrap();
                change(&folder.path().join("x.csv"));
                let mut head = Vec::new();
                ranges.get_into(0..4, &mut head).map(|()| drop(bytes.splice(0..0, head)))
            }
            Content::Ranges(_) => panic!("a folder is not elsewhere"),
        };
        read.map_err(|error| error.to_string())?;
        let (generation, size_bytes) = open.generation.settle().map_err(|error| error.to_string())?;
        assert_eq!((generation, size_bytes), (generation_of(original), 10));
        Ok(bytes)
    }

    #[test]
    fn what_is_read_is_of_its_generation_or_it_is_said_what_happened_to_it() {
        for access in [Access::Stream, Access::Ranges] {
            assert_eq!(read_while(access, |_| ()).unwrap(), b"a\n1\n2\n3\n4\n");
            let append = |path: &Path| File::options().append(true).open(path).unwrap().write_all(b"2\n").unwrap();
            assert_eq!(read_while(access, append).unwrap(), b"a\n1\n2\n3\n4\n");
            let shorter = read_while(access, |path| File::options().write(true).open(path).unwrap().set_len(3).unwrap());
            assert_eq!(shorter.unwrap_err(), "it became shorter while it was read");
            let rewritten = read_while(access, |path| fs::write(path, b"b\n7\n3\n8\n9\n5\n").unwrap());
            assert_eq!(rewritten.unwrap_err(), "it was rewritten while it was read");
            assert_eq!(read_while(access, |path| fs::remove_file(path).unwrap()).unwrap(), b"a\n1\n2\n3\n4\n");
        }
    }
}
