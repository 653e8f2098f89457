//! The one integration binary: polars links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::float_cmp)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::struct_field_names,
    clippy::type_complexity
)]

mod architecture;
#[path = "support/authority.rs"]
mod authority;
mod cloud_faults;
mod cloud_storage;
mod completions;
mod configuration;
mod doctor;
mod documents;
#[path = "support/emulator.rs"]
mod emulator;
mod explain;
#[path = "support/message_server.rs"]
mod message_server;
mod notify_messages;
#[path = "support/sample_notification.rs"]
mod sample_notification;
#[path = "support/sample_report.rs"]
mod sample_report;
#[path = "support/storage_server.rs"]
mod storage_server;
#[path = "support/workspace.rs"]
mod workspace;
