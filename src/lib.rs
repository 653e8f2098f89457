//! drift-check.

pub mod decision;
pub mod feature;
pub mod report;
pub mod window;
