//! Landlock: which files a confined command can open, and that nothing outside hears its signals or
//! its abstract sockets. Everything that is not named here is closed.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
    Scope,
};
use polaris_sandbox::{Level, Request};

use crate::places;

/// The first ABI that also governs truncating files; an older one protects nothing that is writable.
pub(crate) const LEAST_ABI: u32 = 3;
/// The first ABI that keeps signals inside.
pub(crate) const SIGNALS_ABI: u32 = 6;

/// Confines this process and all that it starts.
pub(crate) fn restrict(request: &Request) -> Result<bool, RulesetError> {
    const BEST: ABI = ABI::V6;
    let execute: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    // No sockets and no devices may be made, whoever would be allowed to.
    let never = AccessFs::MakeSock | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
    let all = AccessFs::from_all(BEST);

    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(ABI::V4))?
        .scope(Scope::from_all(BEST))?
        .create()?;
    // At this level it is the command's own; else it is everybody's.
    let tmp = (request.level == Level::Full).then_some(Path::new(places::TMP));
    let own = [request.workspace.as_path(), request.temp.as_path()].into_iter().chain(tmp);
    let own = own.map(|path| (path, all & !never));
    let tools = request.read.iter().map(|path| (path.as_path(), execute));
    let system = places::PROGRAMS.iter().map(|path| (Path::new(path), execute));
    let files = places::SETTINGS.iter().chain([&places::PROC, &places::PROCESSORS]);
    let files = files.map(|path| (Path::new(path), read));
    let devices = places::DEVICES.iter().map(|path| (Path::new(path), device));
    let random = places::RANDOM.iter().map(|path| (Path::new(path), AccessFs::ReadFile.into()));
    for (path, access) in own.chain(tools).chain(system).chain(files).chain(devices).chain(random) {
        // What this machine does not have, or this user cannot see, needs no rule.
        if let Ok(fd) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(fd, access))?;
        }
    }
    let RestrictionStatus { ruleset, no_new_privs, .. } = rules.restrict_self()?;
    Ok(ruleset != RulesetStatus::NotEnforced && no_new_privs)
}
