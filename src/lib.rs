//! drift-check.

pub mod bucket;
pub mod config;
pub mod decision;
pub mod feature;
pub mod profile;
pub mod report;
pub mod statistic;
pub mod store;
pub mod window;
