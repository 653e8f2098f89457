//! The one integration binary.

mod browser;
mod rendering;
#[path = "support/sample_report.rs"]
mod sample_report;
