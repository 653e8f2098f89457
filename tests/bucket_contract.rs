//! What every kind of bucket guarantees, held on each: a folder, and Cloud Storage over real sockets.

use std::io::Read;
use std::time::Duration;

use drift_check::bucket::{Access, Bucket, BucketError, BucketOptions, Condition, Content, ObjectMeta, Put};

use crate::storage_server::StorageServer;

/// A bucket with what keeps it alive.
struct Backend {
    bucket: Bucket,
    _folder: tempfile::TempDir,
    _server: StorageServer,
}

fn backends() -> [Backend; 2] {
    let backend = |open: fn(&tempfile::TempDir, &StorageServer) -> Bucket| {
        let (folder, server) = (tempfile::tempdir().unwrap(), StorageServer::start());
        Backend { bucket: open(&folder, &server), _folder: folder, _server: server }
    };
    [backend(|folder, _| Bucket::local(folder.path())), backend(|_, server| cloud(&server.endpoint(), "logs"))]
}

fn cloud(endpoint: &str, name: &str) -> Bucket {
    let options =
        BucketOptions { endpoint: Some(endpoint.to_owned()), patience: Duration::from_secs(10), ..BucketOptions::default() };
    Bucket::open(&format!("gs://{name}"), &options).unwrap()
}

/// Runs a test of the contract on every kind of bucket.
async fn on_every_kind(test: impl AsyncFn(&Bucket)) {
    for backend in backends() {
        test(&backend.bucket).await;
    }
}

async fn keys(bucket: &Bucket, prefix: &str) -> Vec<String> {
    bucket.list(prefix).await.unwrap().into_iter().map(|meta| meta.key).collect()
}

/// Reads an object as ingest does, on a blocking thread; and its generation.
async fn read(bucket: &Bucket, meta: &ObjectMeta, access: Access) -> (Vec<u8>, String) {
    let (bucket, meta) = (bucket.clone(), meta.clone());
    let read = move || {
        let open = bucket.read(&meta, access).unwrap();
        let mut bytes = Vec::new();
        match open.content {
            Content::Near(ranges) => ranges.get_into(0..ranges.size_bytes(), &mut bytes).unwrap(),
            Content::Stream(mut stream) => drop(stream.read_to_end(&mut bytes).unwrap()),
            Content::Ranges(ranges) => {
                let mut take = |chunk: &[u8]| {
                    bytes.extend_from_slice(chunk);
                    Ok(())
                };
                ranges.read(0..ranges.size_bytes(), &mut take).unwrap();
            }
        }
        let (generation, size_bytes) = open.generation.settle().unwrap();
        assert_eq!(bytes.len() as u64, size_bytes);
        (bytes, generation)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

async fn only(bucket: &Bucket, key: &str) -> ObjectMeta {
    let listed = bucket.list(key).await.unwrap();
    listed.into_iter().find(|meta| meta.key == key).unwrap_or_else(|| panic!("{key} is not listed"))
}

#[tokio::test]
async fn what_is_put_is_listed_in_order_and_got() {
    on_every_kind(async |bucket| {
        for key in ["a/2.csv", "a/1.csv", "a/b/3.csv", "ab.csv", "c.csv", "a.csv"] {
            bucket.put(key, key.as_bytes().to_vec()).await.unwrap();
        }
        assert_eq!(keys(bucket, "a/").await, ["a/1.csv", "a/2.csv", "a/b/3.csv"]);
        assert_eq!(keys(bucket, "a").await, ["a.csv", "a/1.csv", "a/2.csv", "a/b/3.csv", "ab.csv"]);
        assert_eq!(keys(bucket, "").await.len(), 6);
        assert_eq!(keys(bucket, "nothing/here/").await, [""; 0]);
        let listed = only(bucket, "a/1.csv").await;
        assert_eq!((listed.size_bytes, listed.uri), (7, bucket.uri("a/1.csv")));
        assert!(chrono::Utc::now() - listed.updated.unwrap() < chrono::TimeDelta::minutes(1));
        assert_eq!(bucket.get("a/1.csv").await.unwrap().unwrap().bytes, "a/1.csv");
        assert_eq!(bucket.get("a/9.csv").await.unwrap(), None);
        assert_eq!(bucket.generation("a/9.csv").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_empty_object_is_listed_beside_the_others() {
    on_every_kind(async |bucket| {
        for (key, bytes) in [("p/1.csv", "x"), ("p/2.csv", ""), ("p/3.csv", "xy")] {
            bucket.put(key, bytes).await.unwrap();
        }
        let sizes: Vec<u64> = bucket.list("p/").await.unwrap().into_iter().map(|meta| meta.size_bytes).collect();
        assert_eq!(sizes, [1, 0, 2]);
        assert_eq!(bucket.get("p/2.csv").await.unwrap().unwrap().bytes, "");
    })
    .await;
}

#[tokio::test]
async fn an_empty_bucket_is_an_empty_list() {
    on_every_kind(async |bucket| assert_eq!(keys(bucket, "").await, [""; 0])).await;
}

#[tokio::test]
async fn a_key_cannot_leave_the_bucket() {
    on_every_kind(async |bucket| {
        for key in ["../escaped", "/etc/passwd", "a/../../escaped", "", "a/"] {
            assert!(matches!(bucket.put(key, b"x".to_vec()).await, Err(BucketError::Key(_))), "{key}");
            assert!(matches!(bucket.get(key).await, Err(BucketError::Key(_))), "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_may_hold_anything_that_a_path_may() {
    on_every_kind(async |bucket| {
        let odd = [
            "p/a b.csv",
            "p/dt=2026-01-31/x+y.csv",
            "p/été & ñ.csv",
            "p/100%.csv",
            "p/a%2Fb.csv",
            "p/what?#hash.csv",
            "p/日本.csv",
        ];
        for key in odd {
            bucket.put(key, key.as_bytes().to_vec()).await.unwrap();
        }
        let mut sorted = odd;
        sorted.sort_unstable();
        assert_eq!(keys(bucket, "p/").await, sorted);
        for key in odd {
            assert_eq!(bucket.get(key).await.unwrap().unwrap().bytes, key);
            let (bytes, _) = read(bucket, &only(bucket, key).await, Access::Stream).await;
            assert_eq!(bytes, key.as_bytes());
        }
    })
    .await;
}

#[tokio::test]
async fn objects_of_any_size_are_read_whole_by_either_access() {
    on_every_kind(async |bucket| {
        let large: Vec<u8> =
            (0..5_000_011_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[..1].to_vec()).collect();
        for (key, bytes) in [("empty.csv", Vec::new()), ("one.csv", vec![7]), ("large.csv", large)] {
            bucket.put(key, bytes.clone()).await.unwrap();
            let stored = bucket.get(key).await.unwrap().unwrap();
            assert!(stored.bytes == bytes, "{key}");
            let meta = only(bucket, key).await;
            assert_eq!(meta.size_bytes, bytes.len() as u64);
            for access in [Access::Stream, Access::Ranges] {
                let (read, generation) = read(bucket, &meta, access).await;
                assert!(read == bytes, "{key}, {access:?}: {} bytes", read.len());
                assert_eq!(generation, stored.generation, "{key}, {access:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_generation_changes_with_the_content() {
    on_every_kind(async |bucket| {
        let mut seen = Vec::new();
        for bytes in ["1", "2", "three"] {
            let Put::Done(generation) = bucket.put_if("x.csv", bytes, &Condition::Always).await.unwrap() else { panic!("lost") };
            assert_eq!(bucket.generation("x.csv").await.unwrap().as_ref(), Some(&generation));
            assert!(!seen.contains(&generation));
            seen.push(generation);
        }
    })
    .await;
}

#[tokio::test]
async fn a_write_under_a_condition_happens_only_while_it_holds() {
    on_every_kind(async |bucket| {
        let put = async |bytes: &'static str, condition: &Condition| bucket.put_if("x.json", bytes, condition).await.unwrap();
        let text = async || bucket.get("x.json").await.unwrap().map(|object| String::from_utf8(object.bytes.to_vec()).unwrap());
        let Put::Done(first) = put("first", &Condition::Absent).await else { panic!("lost") };
        assert_eq!(put("again", &Condition::Absent).await, Put::Lost);
        assert_eq!(text().await.as_deref(), Some("first"));
        let Put::Done(_) = put("second", &Condition::Generation(first.clone())).await else { panic!("lost") };
        assert_eq!(put("third", &Condition::Generation(first)).await, Put::Lost);
        assert_eq!(text().await.as_deref(), Some("second"));
        let nothing = bucket.put_if("y.json", "y", &Condition::Generation("1".to_owned())).await.unwrap();
        assert_eq!((nothing, bucket.get("y.json").await.unwrap()), (Put::Lost, None));
    })
    .await;
}

#[tokio::test]
async fn of_many_writers_that_replace_the_same_generation_one_wins() {
    on_every_kind(async |bucket| {
        bucket.put("x.json", "start").await.unwrap();
        let generation = bucket.generation("x.json").await.unwrap().unwrap();
        let writers = (0..8).map(|i| {
            let (bucket, condition) = (bucket.clone(), Condition::Generation(generation.clone()));
            tokio::spawn(async move { (i, bucket.put_if("x.json", format!("writer {i}"), &condition).await.unwrap()) })
        });
        let mut winners = Vec::new();
        for writer in futures::future::join_all(writers).await {
            match writer.unwrap() {
                (i, Put::Done(generation)) => winners.push((i, generation)),
                (_, Put::Lost) => {}
            }
        }
        let [(winner, generation)] = winners.as_slice() else { panic!("{winners:?}") };
        let stored = bucket.get("x.json").await.unwrap().unwrap();
        assert_eq!((stored.bytes, &stored.generation), (format!("writer {winner}").into(), generation));
    })
    .await;
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_an_error_and_not_an_empty_bucket() {
    let server = StorageServer::start();
    let missing = cloud(&server.endpoint(), "nowhere");
    let error = missing.list("predictions/").await.unwrap_err().to_string();
    assert_eq!(error, "cannot list gs://nowhere/predictions/: there is no bucket `nowhere`; correct bucket.uri (--bucket)");
    assert!(missing.put("x", "x").await.is_err());
    assert!(missing.get("x").await.is_err(), "a missing bucket is not a missing object");
    assert!(missing.generation("x").await.is_err());
    assert!(Bucket::local(tempfile::tempdir().unwrap().path().join("nowhere")).list("").await.is_err());
}

#[tokio::test]
async fn a_listing_goes_through_all_pages_and_leaves_out_folders() {
    let server = StorageServer::start();
    for i in 0..2_345 {
        server.put(&format!("predictions/{i:05}.csv"), "x");
    }
    server.put("predictions/", "");
    server.put("other/0.csv", "x");
    let listed = keys(&cloud(&server.endpoint(), "logs"), "predictions/").await;
    assert_eq!(
        (listed.len(), listed[0].as_str(), listed[2_344].as_str()),
        (2_345, "predictions/00000.csv", "predictions/02344.csv")
    );
    assert_eq!(server.requests("GET /storage/v1/b/logs/o?"), 3);
}
