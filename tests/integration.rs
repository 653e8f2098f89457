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
mod bad_input;
mod browser;
mod bucket_contract;
mod cache;
mod cloud_faults;
mod cloud_run;
mod cloud_storage;
mod configuration;
mod credentials;
mod decoding;
mod dependence;
mod deployment;
mod documents;
#[path = "support/emulator.rs"]
mod emulator;
mod end_to_end;
mod every_setup;
mod faults;
#[path = "support/faulty.rs"]
mod faulty;
mod feedback_contract;
mod firestore;
mod fixtures;
mod golden;
mod growing;
#[path = "support/mail_server.rs"]
mod mail_server;
#[path = "support/message_server.rs"]
mod message_server;
mod notify_channels;
mod notify_email;
mod notify_http;
mod notify_messages;
mod power;
mod rendering;
#[path = "support/sample_notification.rs"]
mod sample_notification;
#[path = "support/sample_report.rs"]
mod sample_report;
mod signals;
mod simulation;
#[path = "support/storage_server.rs"]
mod storage_server;
mod store_contract;
mod telling;
mod thirty_days;
#[path = "support/workspace.rs"]
mod workspace;
