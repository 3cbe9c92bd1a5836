//! The agent core of polaris-agent: reads model streams, runs tools, stores the answer.
//!
//! No Node and no napi here: `crates/node` hands a [`job::RunSpec`] in and pulls [`event::Event`]
//! batches out. Rooms import only from floors below their own; see `ARCHITECTURE.md`.
//!
//! ```text
//! job  ── agent ── tool ── workspace ── store ── http ── error, event, cancel, config, telemetry
//!              └── model ────────────────────────┘
//! ```

pub mod agent;
pub mod cancel;
pub mod code;
pub mod config;
pub mod confine;
pub mod error;
pub mod event;
pub mod http;
pub mod job;
pub mod model;
pub mod scrape;
pub mod store;
pub mod telemetry;
pub mod tool;
pub mod workspace;

/// The version of the core, equal to the version of the npm package that carries it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
