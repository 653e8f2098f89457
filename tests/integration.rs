//! The one integration binary: polars links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::float_cmp)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::struct_field_names,
    clippy::type_complexity
)]

#[path = "support/aftermath.rs"]
mod aftermath;
mod architecture;
mod at_once;
#[path = "support/authority.rs"]
mod authority;
mod backtest;
mod bad_input;
mod bounds;
mod browser;
mod bucket_contract;
mod cache;
mod cloud_faults;
mod cloud_run;
mod cloud_storage;
#[path = "support/collector.rs"]
mod collector;
mod completions;
mod configuration;
mod credentials;
mod decoding;
mod dependence;
mod deployment;
mod doctor;
mod documents;
#[path = "support/emulator.rs"]
mod emulator;
mod end_to_end;
mod every_setup;
mod explain;
mod failing_disk;
mod faults;
#[path = "support/faulty.rs"]
mod faulty;
mod feedback_contract;
mod firestore;
mod fixtures;
#[path = "fuzz/targets.rs"]
mod fuzz_targets;
mod fuzzing;
mod golden;
mod growing;
mod history;
#[path = "support/interposer.rs"]
mod interposer;
mod killed;
#[path = "support/mail_server.rs"]
mod mail_server;
#[path = "support/measured.rs"]
mod measured;
#[path = "support/message_server.rs"]
mod message_server;
mod metrics;
mod notify_channels;
mod notify_email;
mod notify_http;
mod notify_messages;
mod pages;
#[path = "support/parquet_bytes.rs"]
mod parquet_bytes;
mod power;
mod properties;
mod rendering;
#[path = "support/sample_backtest.rs"]
mod sample_backtest;
#[path = "support/sample_full.rs"]
mod sample_full;
#[path = "support/sample_notification.rs"]
mod sample_notification;
#[path = "support/sample_report.rs"]
mod sample_report;
#[path = "support/scene.rs"]
mod scene;
mod security;
mod signals;
mod simulation;
mod soak;
#[cfg(feature = "spark")]
mod spark;
#[cfg(feature = "spark")]
#[path = "support/spark_server.rs"]
mod spark_server;
#[path = "support/storage_server.rs"]
mod storage_server;
mod store_contract;
mod supply_chain;
mod tables;
mod telling;
mod thirty_days;
mod trend;
mod upgrades;
#[path = "support/victim.rs"]
mod victim;
#[path = "support/watched.rs"]
mod watched;
#[path = "support/workspace.rs"]
mod workspace;
mod wrong_clock;
