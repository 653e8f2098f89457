//! The one integration binary: polars links once.

mod configuration;
