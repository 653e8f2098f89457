//! The targets as a library, so that they are compiled once.

#![allow(dead_code)]

#[path = "../support/sample_notification.rs"]
mod sample_notification;
#[path = "../support/sample_report.rs"]
mod sample_report;
pub mod targets;
