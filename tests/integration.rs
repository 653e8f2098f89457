//! The one integration binary: polars links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::float_cmp)]

mod architecture;
mod bad_input;
mod browser;
mod configuration;
mod decoding;
mod end_to_end;
mod fixtures;
mod golden;
mod rendering;
#[path = "support/sample_report.rs"]
mod sample_report;
#[path = "support/workspace.rs"]
mod workspace;
