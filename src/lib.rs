//! drift-check.

pub mod config;
pub mod decision;
pub mod feature;
pub mod report;
pub mod window;
