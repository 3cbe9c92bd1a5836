//! Convex, where the truth is: the HTTP client ([`convex`]), one typed function per server function
//! ([`functions`]), and the writer that streams a message without making anyone wait ([`writer`]).
//! Knows nothing of jobs.

pub mod convex;
pub mod files;
pub mod fit;
pub mod functions;
pub mod pace;
pub mod writer;
