//! The one integration binary: polars links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::float_cmp)]

mod browser;
mod configuration;
mod decoding;
mod fixtures;
mod golden;
mod rendering;
#[path = "support/sample_report.rs"]
mod sample_report;
