//! Escapes and abuses, by class. Each is attempted in a world of its own, and each has a harmless
//! twin that must work: a sandbox in which nothing works would hold too.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod cases;
mod support;

use polaris_sandbox::{Ended, Level, Limit, Probe};
use support::{HELPER, Who, World, is_root};

/// What is run: the program, and its arguments.
type Line = (&'static str, &'static [&'static str]);

#[derive(Clone)]
pub(crate) struct Case {
    class: &'static str,
    name: &'static str,
    attempt: Line,
    twin: Line,
    /// Where it must end, if not by itself.
    limit: Option<Limit>,
    /// Limits that make it quick.
    small: bool,
    /// What the level below `full` leaves visible.
    only_full: bool,
    /// It may connect, to one server.
    connects: bool,
    /// What only root's helper keeps apart: a user for each project.
    files: &'static [(&'static str, &'static str)],
}

fn probe() -> Probe {
    let output = std::process::Command::new(HELPER).arg("--probe").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every case, as this user and at this level; what did not go as it should.
fn hold(who: Who, level: Level) {
    let missing = (who == Who::Root && !is_root()) || probe().level < level;
    if missing {
        assert!(std::env::var_os("CI").is_none(), "{who:?} at {level:?} cannot be tested here");
        eprintln!("left out: {who:?} at {level:?} cannot be tested here");
        return;
    }
    let only = std::env::var("CORPUS_ONLY").unwrap_or_default();
    let all = cases::all();
    let wanted = |case: &&Case| {
        format!("{} {}", case.class, case.name).contains(&only) && (!case.only_full || level == Level::Full)
    };
    let mut chosen: Vec<&Case> = all.iter().filter(wanted).collect();
    let is_whole = only.is_empty() && std::env::var_os("CORPUS_WHOLE").is_some();
    if is_whole {
        assert!(chosen.len() >= 100, "only {} cases", chosen.len());
    } else if only.is_empty() {
        chosen = sample(chosen);
    }
    let mut wrong = Vec::new();
    let count = chosen.len();
    for case in chosen {
        for (what, result) in [("attempt", attempt(case, who, level)), ("twin", twin(case, who, level))] {
            if let Err(why) = result {
                wrong.push(format!("{}: {} ({what}): {why}", case.class, case.name));
            }
        }
    }
    let names: std::collections::BTreeSet<_> = all.iter().map(|case| (case.class, case.name)).collect();
    assert_eq!(names.len(), all.len(), "two cases have one name");
    assert!(wrong.is_empty(), "{} of {count} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Two cases of each class, others on each day; `CORPUS_SEED` repeats a choice.
fn sample(mut cases: Vec<&Case>) -> Vec<&Case> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    const OF_EACH_CLASS: usize = 2;
    const DAY: u64 = 24 * 60 * 60;
    let today = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / DAY;
    let seed = std::env::var("CORPUS_SEED").ok().map_or_else(today, |seed| seed.parse().unwrap());
    eprintln!("two cases of each class, CORPUS_SEED={seed}; CORPUS_WHOLE=1 runs all");
    let rank = |case: &&Case| {
        let mut hasher = DefaultHasher::new();
        (seed, case.class, case.name).hash(&mut hasher);
        hasher.finish()
    };
    cases.sort_by_key(rank);
    let mut taken = std::collections::BTreeMap::<_, usize>::new();
    cases.retain(|case| {
        let count = taken.entry(case.class).or_default();
        *count += 1;
        *count <= OF_EACH_CLASS
    });
    cases
}

fn attempt(case: &Case, who: Who, level: Level) -> Result<(), String> {
    let mut world = World::new(who, level);
    let outcome = run(&world, case, case.attempt);
    let said = format!("{:?}\n{}\n{}", outcome.report.ended, outcome.stdout, outcome.stderr);
    if said.contains(&world.secret) {
        return Err(format!("it read the secret: {said}"));
    }
    if outcome.stdout.contains("GOT") {
        return Err(format!("it succeeded: {said}"));
    }
    for malformed in
        ["Invalid argument", "Bad address", "Bad file descriptor", "SyntaxError", "panicked", "NotStarted"]
    {
        // In a namespace of one user, the others have no number: that is an invalid argument.
        if said.contains(malformed) && !case.name.starts_with("become ") {
            return Err(format!("the attempt itself is wrong: {said}"));
        }
    }
    match (case.limit, &outcome.report.ended) {
        (Some(limit), Ended::Stopped { limit: found }) if limit == *found => {}
        (Some(limit), ended) => return Err(format!("expected {limit:?}, it ended {ended:?}: {said}")),
        (None, Ended::Exited { .. } | Ended::Signalled { .. }) => {}
        (None, _) => return Err(format!("it did not end by itself: {said}")),
    }
    world.damage().map_or(Ok(()), |damage| Err(format!("{damage}: {said}")))
}

fn twin(case: &Case, who: Who, level: Level) -> Result<(), String> {
    let mut world = World::new(who, level);
    let outcome = run(&world, case, case.twin);
    if !outcome.stdout.contains("GOT") {
        return Err(format!("{:?}\n{}\n{}", outcome.report.ended, outcome.stdout, outcome.stderr));
    }
    world.damage().map_or(Ok(()), Err)
}

fn run(world: &World, case: &Case, (program, arguments): Line) -> support::Outcome {
    for (name, text) in case.files {
        world.put(name, &world.fill(text));
    }
    let mut request = world.request(program, arguments);
    if case.small {
        request.limits.wall_ms = 5_000;
        request.limits.memory_bytes = 256 << 20;
        request.limits.disk_bytes = 64 << 20;
        request.limits.disk_files = 1_000;
        request.limits.file_bytes = 32 << 20;
        request.limits.processes = 48;
    }
    if case.connects {
        request.connect = Some(world.serve());
    }
    if case.limit == Some(Limit::Time) {
        request.limits.wall_ms = 600;
    }
    world.run(&request)
}

#[test]
fn as_root_at_level_full() {
    hold(Who::Root, Level::Full);
}

#[test]
fn as_root_at_level_kernel() {
    hold(Who::Root, Level::Kernel);
}

#[test]
fn as_an_ordinary_user_at_level_full() {
    hold(Who::User, Level::Full);
}

#[test]
fn as_an_ordinary_user_at_level_kernel() {
    hold(Who::User, Level::Kernel);
}

#[test]
fn nobody_survives_a_supervisor_that_is_killed() {
    for who in [Who::Root, Who::User] {
        for level in [Level::Kernel, Level::Full] {
            if (who == Who::Root && !is_root()) || probe().level < level {
                continue;
            }
            let world = World::new(who, level);
            let mut helper = world.start(&world.request("sh", &["-c", "sleep 3600 & sleep 3600 & wait"]));
            let asleep = |line: &String| line.starts_with("sleep 3600");
            while world.survivors().into_iter().filter(asleep).count() < 2 {
                std::thread::yield_now();
            }
            helper.kill().unwrap();
            helper.wait().unwrap();
            while !world.survivors().is_empty() {
                std::thread::yield_now();
            }
        }
    }
}
