//! drift-check: compares a window of a model's inputs with its reference, and says whether they drifted.
//!
//! A pure, synchronous core in the middle; edges that do I/O, one vendor a file, around it. Measure, judge, tell are three steps: no
//! statistic sees a threshold, no threshold sees a channel, nothing that is told can change a verdict.
//!
//! ```text
//! bucket ──objects──▶ ingest ──batches──▶ profile ──counts──▶ statistic ──measurements──▶ decision
//!    ▲                                                                                       │
//!    └──── report.json, report.html ◀── report ◀────────────── verdicts, findings, signals ◀─┘
//!                                         │
//!                                 store (past runs, signals) ◀── job ──▶ notify (Slack, email, PagerDuty, webhook)
//! ```
//!
//! - **Pure**: [`feature`] (names, kinds, batches) ← [`profile`] (the reference grid, counts, effective rows) ← [`statistic`] (KS, PSI, …) ←
//!   [`decision`] (the rule, the verdicts, findings, signals) ← [`report`] (the report and its renderings); [`window`], and [`parallel`]
//!   (when work is worth another thread), beside them. Each may name what is to its left, and nothing else of ours.
//! - **Edges**: [`bucket`] (list, read, write), [`ingest`] (objects to counts, every row accounted for), [`store`] (past runs, states),
//!   [`engine`] (the same counts from a cluster, by SQL), [`notify`] (messages and their channels), [`metrics`] (numbers for a collector), [`config`] (layers, all problems at once), [`retry`] (one policy), [`blocking`] (work off the runtime), [`causes`] (what an error says), [`credentials`] (one identity), [`cli`], [`logging`], [`platform`] (what Cloud Run and GitHub
//!   tell), [`progress`].
//! - **The job**, [`job`], knows them all and computes nothing itself; `main` gives it the time, the environment and the run's id.
//!
//! `tests/architecture.rs` reads the sources and holds these tiers.
//!
//! Words: *reference* is what the model was trained on; *window* is the half-open time under test, whose rows are *current*; *effective
//! rows* are rows corrected for those that repeat each other; a *verdict* is on a feature or on the data set; a *finding* is a coded
//! remark; a *signal* can fire.

pub mod blocking;
pub mod bucket;
pub mod causes;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod decision;
pub mod engine;
pub mod error;
pub mod feature;
pub mod ingest;
pub mod job;
pub mod logging;
pub mod metrics;
pub mod notify;
pub mod parallel;
pub mod platform;
pub mod profile;
pub mod progress;
pub mod report;
pub mod retry;
pub mod statistic;
pub mod store;
pub mod window;
