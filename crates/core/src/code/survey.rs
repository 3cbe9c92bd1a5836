//! What is asked of every file when files are ranked, side by side in memory: a look at all of them reads
//! a few stretches of it, and no file. Files go by their place among the project's texts. Pure.

use std::collections::HashSet;
use std::hash::BuildHasher as _;

use rustc_hash::FxBuildHasher;

use super::index::Index;

/// The files of an index.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The paths in lines.
    paths: String,
    /// Where the line of each ends.
    ends: Vec<u32>,
    /// When each was changed, ms since 1970; 0 if nobody knows.
    updated_at: Vec<f64>,
    /// Of each exported name.
    exports: Vec<Signature>,
    /// Where the names of each file end.
    exports_end: Vec<u32>,
}

impl Survey {
    pub(super) fn new(index: &Index) -> Self {
        let mut survey = Self::default();
        let narrow = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        for (path, file, _) in index.project.texts() {
            survey.paths.push_str(path);
            survey.ends.push(narrow(survey.paths.len()));
            survey.paths.push('\n');
            survey.updated_at.push(file.updated_at);
            survey.exports.extend(exports(index, path).map(signature));
            survey.exports_end.push(narrow(survey.exports.len()));
        }
        survey
    }

    pub(super) fn path(&self, at: usize) -> &str {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        self.paths.get(begin..self.ends[at] as usize).unwrap_or_default()
    }

    pub(super) fn updated_at(&self, at: usize) -> f64 {
        self.updated_at[at]
    }

    /// Tells the files in whose path `find` finds something; it is given all paths in lines, and where
    /// to begin.
    pub(super) fn for_paths(
        &self,
        mut find: impl FnMut(&str, usize) -> Option<usize>,
        mut tell: impl FnMut(usize),
    ) {
        let mut from = 0;
        while let Some(found) = find(&self.paths, from) {
            let at = self.ends.partition_point(|&end| (end as usize) < found);
            let Some(&end) = self.ends.get(at) else { return };
            tell(at);
            from = end as usize;
        }
    }

    /// Tells the files that export one of `names`, and perhaps others: which must be looked at.
    pub(super) fn for_exporters(&self, names: &HashSet<&str>, mut tell: impl FnMut(usize)) {
        let mut wanted = vec![0_u64; SIGNATURES / 64];
        for name in names {
            let signature = usize::from(signature(name));
            wanted[signature / 64] |= 1 << (signature % 64);
        }
        let mut begin = 0;
        for (at, &end) in self.exports_end.iter().enumerate() {
            let end = end as usize;
            let is_wanted =
                |&signature: &Signature| wanted[usize::from(signature) / 64] & (1 << (signature % 64)) != 0;
            if self.exports[begin..end].iter().any(is_wanted) {
                tell(at);
            }
            begin = end;
        }
    }
}

/// What the code at a path exports by name.
pub(super) fn exports<'i>(index: &'i Index, path: &str) -> impl Iterator<Item = &'i str> {
    let exports = index.code_of(path).into_iter().flat_map(|code| &code.facts.exports);
    exports.map(|export| &*export.name).filter(|name| *name != "default")
}

/// Different for most names that are different.
type Signature = u16;
const SIGNATURES: usize = 1 << Signature::BITS;

fn signature(name: &str) -> Signature {
    (FxBuildHasher.hash_one(name) >> (u64::BITS - Signature::BITS)) as Signature
}
