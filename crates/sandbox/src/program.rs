//! Turns a table of system calls into one program of the kernel's packet filter (seccomp(2)). Calls
//! whose numbers lie side by side and share a fate are one range, and ranges are found by halving: 350
//! instructions instead of the 2,000 of one rule after the other. The kernel translates each of them
//! anew for every command, which was a third of what confining one cost. Pure.

use std::collections::BTreeMap;

use libc::sock_filter;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Allowed,
    /// Fails with this error; 0: succeeds without doing anything.
    Errno(i32),
    /// Whoever holds the listener is asked.
    Asked,
}

/// What an argument must be like. Only its lower half is looked at, as the kernel does with numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Equal(u32),
    /// These bits are this.
    Masked(u32, u32),
    /// Not a null pointer: both halves count.
    Pointer,
}

/// Decides calls whose arguments fulfil all of its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The argument's number, and what it must be like.
    pub(crate) conditions: Vec<(u8, Is)>,
    pub(crate) fate: Fate,
}

/// Of each call, its rules: the first that fits decides, and `otherwise` if none does.
pub(crate) type Table = BTreeMap<i64, Vec<Rule>>;

// linux/bpf_common.h and linux/seccomp.h.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_NOT_LESS: u16 = 0x35;
const RETURN: u16 = 0x06;
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;
const KILL: u32 = 0x8000_0000;
/// Of linux/audit.h.
const THIS: u32 = if cfg!(target_arch = "aarch64") { 0xc000_00b7 } else { 0xc000_003e };

fn instruction(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

fn branch(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn end(fate: Fate) -> sock_filter {
    let value = match fate {
        Fate::Allowed => 0x7fff_0000,
        Fate::Errno(error) => 0x0005_0000 | error as u32,
        Fate::Asked => 0x7fc0_0000,
    };
    instruction(RETURN, value)
}

/// The program: a call of another architecture ends its process.
pub(crate) fn compile(table: &Table, otherwise: Fate) -> Vec<sock_filter> {
    let mut program = vec![
        instruction(LOAD, ARCHITECTURE),
        branch(JUMP_EQUAL, THIS, 1, 0),
        instruction(RETURN, KILL),
        instruction(LOAD, NUMBER),
    ];
    program.extend(search(&ranges(table, otherwise)));
    program
}

/// Where each fate begins, and what it is.
fn ranges(table: &Table, otherwise: Fate) -> Vec<(u32, Vec<sock_filter>)> {
    let mut ranges: Vec<(u32, Vec<sock_filter>)> = vec![(0, vec![end(otherwise)])];
    let mut begin = |number: u32, leaf: Vec<sock_filter>| {
        if ranges.last().is_some_and(|(at, _)| *at == number) {
            ranges.pop();
        }
        if ranges.last().is_none_or(|(_, last)| !same(last, &leaf)) {
            ranges.push((number, leaf));
        }
    };
    for (&number, rules) in table {
        // The kernel's numbers are small.
        let number = number as u32;
        begin(number, decide(rules, otherwise));
        begin(number + 1, vec![end(otherwise)]);
    }
    ranges
}

fn same(a: &[sock_filter], b: &[sock_filter]) -> bool {
    let parts = |i: &sock_filter| (i.code, i.jt, i.jf, i.k);
    a.len() == b.len() && a.iter().map(parts).eq(b.iter().map(parts))
}

/// One rule after the other.
fn decide(rules: &[Rule], otherwise: Fate) -> Vec<sock_filter> {
    let mut out = Vec::new();
    for rule in rules {
        if rule.conditions.is_empty() {
            out.push(end(rule.fate));
            return out;
        }
        let mut part = vec![end(rule.fate)];
        for &(argument, is) in rule.conditions.iter().rev() {
            // To the next rule, over what is there already. No rule has as many as a byte counts.
            let away = part.len() as u8;
            let mut test = test(argument, is, away);
            test.append(&mut part);
            part = test;
        }
        out.append(&mut part);
    }
    out.push(end(otherwise));
    out
}

/// Goes on if it holds, else `away` instructions further.
fn test(argument: u8, is: Is, away: u8) -> Vec<sock_filter> {
    let low = ARGUMENTS + 8 * u32::from(argument);
    match is {
        Is::Equal(value) => vec![instruction(LOAD, low), branch(JUMP_EQUAL, value, 0, away)],
        Is::Masked(mask, value) => {
            vec![instruction(LOAD, low), instruction(AND, mask), branch(JUMP_EQUAL, value, 0, away)]
        }
        Is::Pointer => vec![
            instruction(LOAD, low),
            branch(JUMP_EQUAL, 0, 0, 2),
            instruction(LOAD, low + 4),
            branch(JUMP_EQUAL, 0, away, 0),
        ],
    }
}

/// Finds the range of the number that is loaded, by halving.
fn search(ranges: &[(u32, Vec<sock_filter>)]) -> Vec<sock_filter> {
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let (Some((first, _)), false) = (above.first(), below.is_empty()) else {
        return ranges.first().map(|(_, leaf)| leaf.clone()).unwrap_or_default();
    };
    let (below, above) = (search(below), search(above));
    let mut out = Vec::with_capacity(below.len() + above.len() + 2);
    match u8::try_from(below.len()) {
        Ok(over) => out.push(branch(JUMP_NOT_LESS, *first, over, 0)),
        // Too far for a branch.
        Err(_) => {
            out.push(branch(JUMP_NOT_LESS, *first, 0, 1));
            out.push(instruction(JUMP, below.len() as u32));
        }
    }
    out.extend(below);
    out.extend(above);
    out
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
