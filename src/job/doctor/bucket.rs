//! The bucket: who asks, and whether he may list, read, write under a condition, replace and delete, tried on an object of the doctor's own.
//! That never stays behind: whatever fails, it is deleted; what a doctor left that was killed, the next one deletes.

use bytes::Bytes;
use chrono::TimeDelta;

use super::{Check, DRY_RUN, LIMIT, Patient, clock};
use crate::bucket::fault::Fault;
use crate::bucket::{Bucket, BucketError, Condition, Put};
use crate::config::Store;
use crate::credentials::Identity;
use crate::error::{ExitCode, with_causes};

/// What was found.
pub struct Found {
    pub checks: Vec<Check>,
    /// Against the time at which the object was written.
    pub clock: Option<Check>,
    /// Whether it can be listed: what else is read of it need not be tried where it cannot.
    pub is_reachable: bool,
}

const NAMES: [&str; 5] = ["bucket list", "bucket read", "bucket write", "bucket condition", "bucket delete"];

/// A probe that is older was left by a doctor that was killed.
const LEFT: TimeDelta = TimeDelta::hours(1);

/// Who asks.
pub async fn identity(patient: &Patient<'_>, bucket: &Bucket) -> Check {
    let name = "credentials";
    match tokio::time::timeout(LIMIT, bucket.principal()).await {
        Ok(Ok(Some(principal))) => Check::ok(name, principal),
        Ok(Ok(None)) if matches!(&patient.config.store, Store::Firestore(settings) if settings.endpoint.is_none()) => {
            // Whether a token can be had is seen when the store is read.
            let identity = Identity::find();
            Check::ok(name, format!("{}, for the store", identity.named(identity.principal())))
        }
        Ok(Ok(None)) => Check::ok(name, "none are needed: bucket and store are on this machine"),
        Ok(Err(error)) => {
            let check = refused(name, &error, "");
            match Identity::find().principal() {
                Some(principal) => Check { seen: format!("{principal}: {}", check.seen), ..check },
                None => check,
            }
        }
        Err(_) => Check::late(name, ExitCode::StorageFailed, LIMIT, "check the network"),
    }
}

pub async fn check(patient: &Patient<'_>, bucket: &Bucket) -> Found {
    let folder = format!("{}{}/doctor/", patient.config.report.prefix, patient.config.job.name);
    let key = format!("{folder}{}.probe", patient.probe);
    let mut found = Found { checks: Vec::new(), clock: None, is_reachable: true };
    let began = (patient.invocation.clock)();
    let [list, read, write, condition, delete] = NAMES;
    let listed = match tokio::time::timeout(LIMIT, bucket.list(&folder)).await {
        Ok(Ok(listed)) => listed,
        failed => {
            found.is_reachable = false;
            found.checks.push(match failed {
                Ok(Err(error)) if error.is_not_found() => {
                    let uri = bucket.uri("");
                    Check::fail(
                        list,
                        ExitCode::StorageFailed,
                        format!("there is no {uri}"),
                        "make it, or correct bucket.uri (--bucket)",
                    )
                }
                Ok(Err(error)) => refused(list, &error, "storage.objects.list"),
                _ => Check::late(list, ExitCode::StorageFailed, LIMIT, "check the network"),
            });
            found.checks.extend([read, write, condition, delete].map(|name| Check::skip(name, "the bucket cannot be listed")));
            return found;
        }
    };
    let left = listed.iter().filter(|object| object.updated.is_some_and(|updated| updated + LEFT < began));
    let left: Vec<&str> = left.map(|object| object.key.as_str()).collect();
    found.checks.push(Check::ok(list, bucket.uri("").trim_end_matches('/')));
    let latest = format!("{}{}/latest.json", patient.config.report.prefix, patient.config.job.name);
    found.checks.push(match tokio::time::timeout(LIMIT, bucket.get(&latest)).await {
        Ok(Ok(Some(_)) | Err(BucketError::TooLarge { .. })) => Check::ok(read, bucket.uri(&latest)),
        Ok(Ok(None)) => Check::ok(read, "there is no report yet"),
        Ok(Err(error)) => refused(read, &error, "storage.objects.get"),
        Err(_) => Check::late(read, ExitCode::StorageFailed, LIMIT, "check the network"),
    });
    if !patient.may_write() {
        found.checks.extend([write, condition, delete].map(|name| Check::skip(name, DRY_RUN)));
        return found;
    }
    // What was seen before time ran out is kept.
    let mut probe = Probe { bucket, key: &key, checks: Vec::new(), clock: None };
    if tokio::time::timeout(LIMIT, probe.try_all(patient)).await.is_err() {
        probe.checks.push(Check::late(write, ExitCode::StorageFailed, LIMIT, "check the network"));
    }
    for name in [write, condition].into_iter().skip(probe.checks.len()) {
        probe.checks.push(Check::skip(name, "nothing could be written"));
    }
    found.checks.extend(probe.checks);
    found.clock = probe.clock;
    found.checks.push(deleted(bucket, &key, &left).await);
    found
}

/// An object of the doctor's own.
struct Probe<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    checks: Vec<Check>,
    clock: Option<Check>,
}

impl Probe<'_> {
    async fn try_all(&mut self, patient: &Patient<'_>) {
        let [_, _, write, condition, _] = NAMES;
        let (first, second) = (Bytes::from("drift-check doctor\n"), Bytes::from("drift-check doctor, once more\n"));
        let clock = patient.invocation.clock;
        let before = clock();
        let generation = match self.bucket.put_if(self.key, first.clone(), &Condition::Absent).await {
            Ok(Put::Done(generation)) => generation,
            Ok(Put::Lost) => {
                let seen = format!("somebody else has written {}", self.bucket.uri(self.key));
                self.checks.push(Check::fail(write, ExitCode::StorageFailed, seen, "run again"));
                return;
            }
            Err(error) => {
                self.checks.push(refused(write, &error, "storage.objects.create"));
                return;
            }
        };
        let ours = before + (clock() - before) / 2;
        let stored = self.bucket.get(self.key).await;
        self.checks.push(match stored {
            Ok(Some(stored)) if stored.bytes == first => Check::ok(write, format!("{}, and read back", self.bucket.uri(self.key))),
            Ok(_) => Check::fail(write, ExitCode::StorageFailed, "what was read back is not what was written", "check the storage"),
            Err(error) => refused(write, &error, "storage.objects.get"),
        });
        if let (Bucket::Local(_), Ok(listed)) = (self.bucket, self.bucket.list(self.key).await) {
            let updated = listed.first().and_then(|object| object.updated);
            self.clock = updated.map(|theirs| clock::compared(ours, theirs, "the file system"));
        }
        let check = self.condition(condition, second, generation).await;
        self.checks.push(check);
    }

    /// A write that must be refused, and one that must not.
    async fn condition(&self, name: &str, bytes: Bytes, generation: String) -> Check {
        match self.bucket.put_if(self.key, bytes.clone(), &Condition::Absent).await {
            Ok(Put::Lost) => {}
            Ok(Put::Done(_)) => {
                let seen =
                    "a write that asked for no object to be there went over one: runs at the same time would write over each other";
                return Check::fail(name, ExitCode::StorageFailed, seen, "use a storage that honours ifGenerationMatch");
            }
            Err(error) => return refused(name, &error, "storage.objects.create"),
        }
        match self.bucket.put_if(self.key, bytes, &Condition::Generation(generation)).await {
            Ok(Put::Done(_)) => Check::ok(name, "the second write was refused, and the known generation replaced"),
            Ok(Put::Lost) => {
                let seen = "a write over the generation that is there was refused";
                Check::fail(name, ExitCode::StorageFailed, seen, "use a storage that honours ifGenerationMatch")
            }
            // Replacing takes the right to delete.
            Err(error) => refused(name, &error, "storage.objects.delete"),
        }
    }
}

/// Deletes the probe, and those that were left.
async fn deleted(bucket: &Bucket, key: &str, left: &[&str]) -> Check {
    let name = NAMES[4];
    let gone = async {
        bucket.delete(key).await?;
        for key in left {
            bucket.delete(key).await?;
        }
        bucket.generation(key).await
    };
    let behind = format!("; delete {} by hand", bucket.uri(key));
    match tokio::time::timeout(LIMIT, gone).await {
        Ok(Ok(None)) if left.is_empty() => Check::ok(name, "the probe is gone"),
        Ok(Ok(None)) => Check::ok(name, format!("the probe is gone, and {} that earlier doctors left", left.len())),
        Ok(Ok(Some(_))) => Check::fail(
            name,
            ExitCode::StorageFailed,
            "the probe is still there after it was deleted",
            format!("check the storage{behind}"),
        ),
        Ok(Err(error)) => {
            let check = refused(name, &error, "storage.objects.delete");
            let remedy = format!(
                "{}{behind}",
                check.remedy.clone().unwrap_or_else(|| "latest.json cannot be replaced without it".to_owned())
            );
            Check { remedy: Some(remedy), ..check }
        }
        Err(_) => Check::late(name, ExitCode::StorageFailed, LIMIT, format!("check the network{behind}")),
    }
}

/// A failure: where it is a right that is missing, its name; the remedy names the role.
fn refused(name: &str, error: &BucketError, permission: &str) -> Check {
    match error {
        BucketError::Service(error)
            if error.fault == Fault::Refused && error.remedy.starts_with("grant") && !permission.is_empty() =>
        {
            Check::fail(name, ExitCode::StorageFailed, format!("{permission} is missing ({})", error.detail), error.remedy.clone())
        }
        BucketError::Service(error) => {
            let seen = format!("cannot {} {}: {}", error.action, error.uri, error.detail);
            Check::fail(name, ExitCode::StorageFailed, seen, error.remedy.clone())
        }
        error => Check::fail(name, ExitCode::StorageFailed, with_causes(error), ""),
    }
}
