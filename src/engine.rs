//! Engines: who scans the rows of the logs and counts them.
//!
//! This machine does, through [`ingest`](crate::ingest), unless the configuration names a cluster. There the same counts come out of SQL: a
//! [`Scan`] in, [`Scanned`] out, and everything else is the same code. [`statements`] says what is asked, [`dialect`] how it is spelled,
//! [`gather`] makes counts of the answers; all of these are pure. What is counted are integers, so that the answers are those of this
//! machine, bit for bit (STATISTICS.md, section 1). What SQL does not tell is left out, and the report says so.

pub mod columns;
pub mod dialect;
pub mod files;
pub mod gather;
#[cfg(feature = "spark")]
pub mod spark;
pub mod statements;

use std::sync::Arc;

use thiserror::Error;

use crate::ingest::account::Account;
use crate::ingest::decode::Request;
use crate::ingest::select::Selection;
use crate::profile::recent::Recent;
use crate::profile::{ReferenceProfile, WindowCounts};
use columns::Shape;
use dialect::Dialect;

/// Who scans and counts. The variant is the value of `engine.kind`.
#[derive(Clone, Debug)]
pub enum Engine {
    Local,
    #[cfg(feature = "spark")]
    Spark(Arc<spark::Spark>),
}

impl Engine {
    /// Who answers in place of this machine; nobody where the rows are read here.
    pub fn database(&self) -> Option<&dyn Database> {
        match self {
            Self::Local => None,
            #[cfg(feature = "spark")]
            Self::Spark(spark) => Some(spark.as_ref()),
        }
    }

    /// Does work that asks a database; nothing, and `None`, where the rows are read here.
    #[cfg_attr(not(feature = "spark"), expect(unused_variables, clippy::unused_async, reason = "there is nobody to ask"))]
    pub async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Database) -> Result<T, EngineError> + Send + 'static,
    ) -> Option<Result<T, EngineError>> {
        match self {
            Self::Local => None,
            #[cfg(feature = "spark")]
            Self::Spark(spark) => Some(spark.run(work).await),
        }
    }
}

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The features' columns in the order of the profile, then what else is wanted; the window; what names moment and cluster.
    pub request: Request,
    pub profile: Arc<ReferenceProfile>,
    /// The column whose newest values are wanted, and how many of them.
    pub recent: Option<(usize, usize)>,
    /// Which files can hold rows of the window, where their paths tell.
    pub files: Option<Selection>,
}

/// What was counted: of one object, which is all that the cluster was asked for.
#[derive(Debug)]
pub struct Scanned {
    pub counts: WindowCounts,
    pub recent: Recent,
    pub account: Account,
}

/// One value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Null,
    Integer(i64),
    Number(f64),
    Text(String),
    Truth(bool),
}

/// A list of numbers that statements look values up in; its position in its table is its name.
#[derive(Clone, Debug, PartialEq)]
pub enum List {
    Doubles(Vec<f64>),
    Integers(Vec<u16>),
}

/// Takes the rows of an answer one by one.
pub type TakeRow<'a> = &'a mut dyn FnMut(&[Field]) -> Result<(), EngineError>;

/// Whoever answers statements about the logs.
pub trait Database {
    fn dialect(&self) -> Dialect;

    /// As people are told of the rows.
    fn uri(&self) -> String;

    /// The columns, in their order.
    fn columns(&self) -> &[(String, Shape)];

    /// Takes as the logs, from now on, only those of its files that `may_hold` says yes to by their path. A table is what it is.
    ///
    /// # Errors
    /// When the database fails.
    fn choose(&self, may_hold: &dyn Fn(&str) -> bool) -> Result<(), EngineError>;

    /// Makes [`statements::LISTS`] a table of one row with these lists, in place of the one before.
    ///
    /// # Errors
    /// When the database fails.
    fn put(&self, lists: &[List]) -> Result<(), EngineError>;

    /// Asks for the rows of a statement.
    ///
    /// # Errors
    /// When the database fails, or `row` does.
    fn ask(&self, statement: &str, row: TakeRow<'_>) -> Result<(), EngineError>;
}

/// Why a cluster did not count.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error(
        "cannot reach the Spark Connect server at {remote}: {detail}; check engine.remote, the network, and that the server runs"
    )]
    Unreachable { remote: String, detail: String },
    #[error("the Spark Connect server at {remote} does not let us in: {detail}; check engine.token, and use_ssl in engine.remote")]
    Denied { remote: String, detail: String },
    #[error(
        "the server at {remote} runs Spark {found}, and {needed} or later is needed: use such a cluster, or engine.kind = \"local\""
    )]
    Version { remote: String, found: String, needed: &'static str },
    #[error("the connection to the cluster at {remote} broke: {detail}; check the network; a rerun is safe")]
    Lost { remote: String, detail: String },
    /// The rows that are asked for are not there, or not as they are asked for.
    #[error("{0}")]
    Logs(String),
    #[error("the cluster at {remote} failed: {detail}; its own log tells more, and a rerun is safe")]
    Failed { remote: String, detail: String },
    #[error("{0}")]
    Settings(String),
    #[error(
        "this drift-check was built without Spark: use the released one, or build with `--features spark`; or set engine.kind = \"local\""
    )]
    NotBuilt,
}
