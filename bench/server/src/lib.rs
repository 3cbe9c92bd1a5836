//! What the benchmarks measure against: a model server that is never the bottleneck, a stand-in for
//! Convex that counts bytes, and the floor, a client that reads the bytes and does nothing else.
//!
//! Nothing here is part of the product. `bench/run.ts` starts both programs.

pub mod http;
pub mod model;
pub mod scenario;
pub mod store;
pub mod tls;
pub mod usage;
pub mod wheel;
pub mod wire;
