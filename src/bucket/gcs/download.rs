//! One object, or a part of it, on its way here: resumed where it broke, always of one generation, and checked at its end.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use google_cloud_storage::model_ext::ReadRange;
use google_cloud_storage::read_object::ReadObjectResponse;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::GcsBucket;
use super::errors::Asked;
use crate::bucket::budget::Reserved;
use crate::bucket::fault::{Fault, ServiceError};
use crate::bucket::{BucketError, ObjectMeta};
use crate::retry::Attempts;

/// Chunks that wait for the reader; the connection delivers some tens of kilobytes each.
const CHUNKS_AHEAD: usize = 4;

/// A transfer, to the end of the object or of a part of it.
pub(super) struct Download {
    bucket: Arc<GcsBucket>,
    key: String,
    pub generation: i64,
    position: u64,
    /// Not known where the service does not tell the size of an object; then the client holds the length of each response against
    /// what was announced.
    pub end: Option<u64>,
    /// Whether the bytes are stored compressed beyond what the key says; they are read as they are stored.
    is_gzip: bool,
    /// What the whole object must come to; a part of it cannot be checked.
    expected: Option<u32>,
    crc32c: u32,
    response: Option<ReadObjectResponse>,
    attempts: Attempts,
}

impl Download {
    /// Begins to read a whole object: this generation of it, or the newest.
    pub async fn whole(bucket: Arc<GcsBucket>, key: &str, generation: Option<i64>) -> Result<Self, ServiceError> {
        let mut attempts = Attempts::new(bucket.client.policy());
        let response = loop {
            match begin(&bucket, key, generation, None).await {
                Ok(response) => break response,
                Err(error) => attempts.after(error).await?,
            }
        };
        let object = response.object();
        Ok(Self {
            key: key.to_owned(),
            generation: object.generation,
            is_gzip: object.content_encoding == "gzip",
            position: 0,
            // Zero also stands for "not told".
            end: u64::try_from(object.size).ok().filter(|size| *size > 0),
            expected: object.checksums.and_then(|checksums| checksums.crc32c),
            crc32c: 0,
            response: Some(response),
            attempts,
            bucket,
        })
    }

    /// A part of a known generation; nothing is asked for yet.
    pub fn part(bucket: Arc<GcsBucket>, key: &str, generation: i64, range: std::ops::Range<u64>) -> Self {
        let attempts = Attempts::new(bucket.client.policy());
        Self {
            key: key.to_owned(),
            generation,
            is_gzip: false,
            position: range.start,
            end: Some(range.end),
            expected: None,
            crc32c: 0,
            response: None,
            attempts,
            bucket,
        }
    }

    /// The next bytes, or `None` once all have arrived and are what was stored.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ServiceError> {
        let bucket = Arc::clone(&self.bucket);
        let asked = bucket.asked("read", &self.key);
        loop {
            if self.end.is_some_and(|end| self.position >= end) {
                return self.finish(&asked).map(|()| None);
            }
            match self.step(&asked).await {
                Ok(Some(chunk)) => return Ok(Some(chunk)),
                Ok(None) => self.end = Some(self.position),
                Err(error) => {
                    self.response = None;
                    self.attempts.after(error).await?;
                }
            }
        }
    }

    /// `None` where the response ended and nobody knows better.
    async fn step(&mut self, asked: &Asked<'_>) -> Result<Option<Bytes>, ServiceError> {
        let response = match &mut self.response {
            Some(response) => response,
            none => {
                let range = match self.end {
                    Some(end) => ReadRange::segment(self.position, end - self.position),
                    None => ReadRange::offset(self.position),
                };
                none.insert(begin(&self.bucket, &self.key, Some(self.generation), Some(range)).await?)
            }
        };
        let silence = self.bucket.client.silence();
        let call = async { response.next().await.transpose().map_err(|error| asked.of_client(&error)) };
        let chunk = self.bucket.client.in_time(asked, silence, call).await?;
        let Some(chunk) = chunk else {
            let too_early = || asked.failed(Fault::Unreachable, "the transfer ended too early".to_owned());
            return if self.end.is_none() { Ok(None) } else { Err(too_early()) };
        };
        let length = chunk.len() as u64;
        if self.end.is_some_and(|end| length > end - self.position) {
            return Err(asked.failed(Fault::Unexpected, "more bytes than the object has".to_owned()));
        }
        if length > 0 {
            self.attempts.progressed();
        }
        self.position += length;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &chunk);
        Ok(Some(chunk))
    }

    fn finish(&mut self, asked: &Asked<'_>) -> Result<(), ServiceError> {
        self.response = None;
        match self.expected {
            Some(expected) if expected != self.crc32c => {
                let detail = format!("its bytes do not match their checksum (CRC32C {:08x}, not {expected:08x})", self.crc32c);
                Err(asked.failed(Fault::Corrupt, detail))
            }
            _ => Ok(()),
        }
    }

    /// All that is left; of an object whose size is not told, no more than downloads may take in memory.
    pub async fn collect(mut self) -> Result<Bytes, ServiceError> {
        let most = self.bucket.client.budget().bytes();
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next().await? {
            if self.end.is_none() && self.position > most {
                let detail = format!("its size is not told, and it is larger than run.max_download_bytes = {most}");
                return Err(self.bucket.asked("read", &self.key).failed(Fault::Unexpected, detail));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }
}

/// One request: the whole object, or a range of it.
async fn begin(
    bucket: &GcsBucket,
    key: &str,
    generation: Option<i64>,
    range: Option<ReadRange>,
) -> Result<ReadObjectResponse, ServiceError> {
    let asked = bucket.asked("read", key);
    let call = async {
        let storage = &bucket.client.connected(&asked).await?.storage;
        // The checksum is ours to check: a transfer that is resumed has none of its own.
        let mut read = storage.read_object(bucket.resource(), key).compute_crc32c(false);
        if let Some(generation) = generation {
            read = read.set_generation(generation);
        }
        if let Some(range) = range {
            read = read.set_read_range(range);
        }
        Box::pin(read.send()).await.map_err(|error| asked.of_client(&error))
    };
    bucket.client.in_time(&asked, bucket.client.silence(), call).await
}

/// What goes from the transfer to its reader.
enum Message {
    Bytes(Bytes),
    End,
    Failed(ServiceError),
}

/// A whole object as a blocking reader; the transfer is a task of the runtime that waits while the reader is behind.
pub(super) struct StreamReader {
    messages: mpsc::Receiver<Message>,
    chunk: Bytes,
    state: State,
}

enum State {
    Open,
    Ended,
    Failed,
}

/// An object whose transfer has begun.
pub(super) struct OpenStream {
    pub reader: StreamReader,
    pub generation: i64,
    pub size_bytes: Option<u64>,
    pub is_gzip: bool,
}

/// Begins to read an object on the runtime of this (blocking) thread: the listed generation, or the newest where that is gone.
pub(super) fn open_stream(bucket: &Arc<GcsBucket>, meta: &ObjectMeta) -> Result<OpenStream, ServiceError> {
    let (opened, answer) = oneshot::channel();
    let (sender, messages) = mpsc::channel(CHUNKS_AHEAD);
    let (source, key, listed) = (Arc::clone(bucket), meta.key.clone(), listed(meta));
    Handle::current().spawn(async move {
        let mut download = Download::whole(Arc::clone(&source), &key, listed).await;
        if listed.is_some() && download.as_ref().is_err_and(|error| error.fault == Fault::NoObject) {
            download = Download::whole(source, &key, None).await;
        }
        match download {
            Err(error) => drop(opened.send(Err(error))),
            Ok(download) => {
                if opened.send(Ok((download.generation, download.end, download.is_gzip))).is_ok() {
                    pump(download, sender).await;
                }
            }
        }
    });
    let (generation, size_bytes, is_gzip) = answer.blocking_recv().unwrap_or_else(|_| Err(stopped(bucket, &meta.key)))?;
    Ok(OpenStream { reader: StreamReader { messages, chunk: Bytes::new(), state: State::Open }, generation, size_bytes, is_gzip })
}

/// The generation in a listing.
pub(super) fn listed(meta: &ObjectMeta) -> Option<i64> {
    meta.generation.as_deref().and_then(|generation| generation.parse().ok())
}

async fn pump(mut download: Download, sender: mpsc::Sender<Message>) {
    loop {
        let (message, is_last) = match download.next().await {
            Ok(Some(chunk)) => (Message::Bytes(chunk), false),
            Ok(None) => (Message::End, true),
            Err(error) => (Message::Failed(error), true),
        };
        // A reader that has seen enough is gone.
        if sender.send(message).await.is_err() || is_last {
            return;
        }
    }
}

fn stopped(bucket: &GcsBucket, key: &str) -> ServiceError {
    bucket.asked("read", key).failed(Fault::Unreachable, "the run is being stopped".to_owned())
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.state {
                State::Ended => return Ok(0),
                State::Failed => return Err(io::Error::other("the transfer failed before")),
                State::Open => {}
            }
            match self.messages.blocking_recv() {
                Some(Message::Bytes(chunk)) => self.chunk = chunk,
                Some(Message::End) => self.state = State::Ended,
                Some(Message::Failed(error)) => {
                    self.state = State::Failed;
                    return Err(io::Error::other(BucketError::Service(error)));
                }
                // Without its end, a transfer is cut short.
                None => {
                    self.state = State::Failed;
                    return Err(io::Error::other("the transfer was stopped"));
                }
            }
        }
        let length = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

/// One generation of an object, read here and there.
pub struct RemoteRanges {
    bucket: Arc<GcsBucket>,
    key: String,
    generation: i64,
    size_bytes: u64,
    runtime: Handle,
}

impl RemoteRanges {
    pub(super) fn new(bucket: Arc<GcsBucket>, key: String, generation: i64, size_bytes: u64) -> Self {
        Self { bucket, key, generation, size_bytes, runtime: Handle::current() }
    }

    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// How many bytes may be in memory at a time, over all objects of the service.
    pub fn budget_bytes(&self) -> u64 {
        self.bucket.client.budget().bytes()
    }

    /// Waits until so many bytes may be in memory; called on a blocking thread that holds no others.
    ///
    /// # Errors
    /// When there are never so many, or the run is being stopped.
    pub fn reserve(&self, bytes: u64) -> io::Result<Reserved> {
        let (sender, answer) = oneshot::channel();
        let budget = self.bucket.client.budget().clone();
        self.runtime.spawn(async move { drop(sender.send(budget.reserve(bytes).await)) });
        match answer.blocking_recv() {
            Ok(Some(reserved)) => Ok(reserved),
            Ok(None) => Err(io::Error::other(format!("{bytes} bytes are more than there are to be reserved"))),
            Err(_) => Err(io::Error::other(BucketError::Service(stopped(&self.bucket, &self.key)))),
        }
    }

    /// Hands on these bytes as they arrive; called on a blocking thread. The service knows the checksum of the whole object only:
    /// a part of it is not checked, beyond what the format brings with it.
    ///
    /// # Errors
    /// The transfer's, as a [`BucketError`] inside; or what `take` returns.
    pub fn read(&self, range: std::ops::Range<u64>, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let (sender, messages) = mpsc::channel(CHUNKS_AHEAD);
        let (bucket, key, generation) = (Arc::clone(&self.bucket), self.key.clone(), self.generation);
        let is_whole = range == (0..self.size_bytes);
        self.runtime.spawn(async move {
            let download = if is_whole {
                Download::whole(bucket, &key, Some(generation)).await
            } else {
                Ok(Download::part(bucket, &key, generation, range))
            };
            match download {
                Ok(download) => pump(download, sender).await,
                // A reader that is gone needs no reason.
                Err(error) => drop(sender.send(Message::Failed(error)).await),
            }
        });
        let mut reader = StreamReader { messages, chunk: Bytes::new(), state: State::Open };
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(()),
                read => take(buffer.get(..read).unwrap_or_default())?,
            }
        }
    }
}

/// Runs a call of the service for a blocking thread.
pub(super) fn wait<T: Send + 'static>(
    bucket: &Arc<GcsBucket>,
    key: &str,
    call: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, ServiceError> {
    let (sender, answer) = oneshot::channel();
    Handle::current().spawn(async move { drop(sender.send(call.await)) });
    answer.blocking_recv().unwrap_or_else(|_| Err(stopped(bucket, key)))
}
