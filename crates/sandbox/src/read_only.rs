//! Becomes a program that serves its caller over standard input and output and only reads: one folder
//! and its own. Each step must succeed or nothing is executed. Nothing supervises it: it is one
//! process, can start no other, and dies with the thread that started it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use crate::filter::{self, Gaps, Streams};
use crate::{places, sys};

/// Open files; a server of a language holds a few.
const OPEN_FILES: u64 = 1_024;

/// Returns why the program could not be started.
pub(crate) fn become_program(
    folder: &Path,
    program: &Path,
    arguments: impl Iterator<Item = OsString>,
) -> io::Error {
    match confine(folder, program) {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    }
}

fn confine(folder: &Path, program: &Path) -> io::Result<()> {
    let (folder, program) = (fs::canonicalize(folder)?, fs::canonicalize(program)?);
    let own = program.parent().ok_or_else(|| io::Error::other("the program stands in no folder"))?;
    // Memory runs out: this goes before the worker does.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    // Its caller may have made it the leader of a group already: then it stays that.
    let _ = sys::new_session();
    if sys::uid() == 0 {
        let owner = fs::metadata(&folder)?;
        if owner.uid() == 0 || owner.gid() == 0 {
            return Err(io::Error::other("the folder belongs to root, so nobody could be confined to it"));
        }
        sys::leave_groups()?;
        let _ = sys::drop_bounding_set();
        sys::become_user(owner.uid(), owner.gid())?;
    }
    // After the change of the user, which would undo it.
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)?;
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    sys::drop_capabilities()?;
    sys::limit(libc::RLIMIT_CORE, 0)?;
    sys::limit(libc::RLIMIT_FSIZE, 0)?;
    sys::limit(libc::RLIMIT_NOFILE, OPEN_FILES)?;
    sys::be_nice();
    std::env::set_current_dir(&folder)?;
    restrict(&folder, own, &program)?;
    sys::close_from(3, true);
    sys::reset_signals();
    let gaps = Gaps { metadata: true, modes: true, signals: true, watches: true };
    sys::apply_filter(&filter::program(gaps, Streams::Refused))
}

fn restrict(folder: &Path, own: &Path, program: &Path) -> io::Result<()> {
    let other = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V4)))
        .and_then(|rules| rules.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .map_err(|e| other(&e))?;
    let mut allowed = vec![(folder, read), (own, read), (program, AccessFs::ReadFile | AccessFs::Execute)];
    // How many processors there are, and of how large a page memory is made.
    allowed.extend(
        [places::PROCESSORS, "/sys/kernel/mm/transparent_hugepage"].map(|path| (Path::new(path), read)),
    );
    allowed.extend(places::RANDOM.iter().map(|path| (Path::new(path), AccessFs::ReadFile.into())));
    allowed.push((Path::new("/dev/null"), AccessFs::ReadFile | AccessFs::WriteFile));
    for (path, access) in allowed {
        if let Ok(fd) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(fd, access)).map_err(|e| other(&e))?;
        }
    }
    let status = rules.restrict_self().map_err(|e| other(&e))?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(io::Error::other("Landlock is not enforced")),
        _ => Ok(()),
    }
}
