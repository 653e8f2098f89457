//! Nobody in, nothing out: no secret in anything that a run emits, no data that steers what shows it, nothing written outside of the
//! bucket, not a word to a server that cannot prove who it is, no right that the job does not need.

mod confinement;
mod emitted;
mod injection;
mod paths;
mod secrets;
mod tls;
