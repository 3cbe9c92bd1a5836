//! What a project's code says: the index of its files, how they import each other, search by pattern
//! and glob, and which files matter for a question. Reads snapshots of a project; knows no tools.

pub mod depth;
pub mod extract;
pub mod facts;
pub mod glob;
pub mod grep;
pub mod index;
pub mod inspect;
pub mod lines;
pub mod links;
pub mod needle;
pub mod paths;
pub mod recover;
pub mod relevance;
pub mod repair;
pub mod resolve;
pub mod script_regex;
pub mod server;
mod survey;
pub mod tsconfig;
mod wild;
pub mod words;
