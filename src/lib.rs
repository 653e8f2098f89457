//! drift-check.

pub mod bucket;
pub mod cli;
pub mod config;
pub mod decision;
pub mod error;
pub mod feature;
pub mod ingest;
pub mod job;
pub mod logging;
pub mod profile;
pub mod progress;
pub mod report;
pub mod statistic;
pub mod store;
pub mod window;
