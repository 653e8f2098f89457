//! NDJSON objects.
