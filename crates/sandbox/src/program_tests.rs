use super::*;

/// Runs a program as the kernel does, on what it is given of a call.
fn run(program: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let word = |at: u32| match at {
        NUMBER => number,
        ARCHITECTURE => architecture,
        at => {
            let argument = arguments[((at - ARGUMENTS) / 8) as usize];
            if at.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
    };
    let (mut at, mut a) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        match code {
            LOAD => a = word(k),
            AND => a &= k,
            JUMP => at += k as usize,
            JUMP_EQUAL => at += usize::from(if a == k { jt } else { jf }),
            JUMP_NOT_LESS => at += usize::from(if a >= k { jt } else { jf }),
            RETURN => return k,
            code => panic!("{code:x}"),
        }
    }
}

/// The same by the table.
fn look_up(table: &Table, otherwise: Fate, number: u32, arguments: [u64; 6]) -> u32 {
    let holds = |&(argument, is): &(u8, Is)| {
        let value = arguments[usize::from(argument)];
        match is {
            Is::Equal(wanted) => value as u32 == wanted,
            Is::Masked(mask, wanted) => value as u32 & mask == wanted,
            Is::Pointer => value != 0,
        }
    };
    let rules = table.get(&i64::from(number)).into_iter().flatten();
    let rule = rules.into_iter().find(|rule| rule.conditions.iter().all(holds));
    end(rule.map_or(otherwise, |rule| rule.fate)).k
}

/// Numbers that look random and are the same each time (xorshift).
fn numbers() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Every call with arguments at which the table decides differently, and others.
fn compare(table: &Table, otherwise: Fate) {
    let program = compile(table, otherwise);
    assert!(program.len() <= 4_096, "the kernel takes no more (BPF_MAXINSNS)");
    let mut next = numbers();
    let interesting = |rules: &[Rule]| -> Vec<u64> {
        let values = rules.iter().flat_map(|rule| &rule.conditions).flat_map(|(_, is)| match *is {
            Is::Equal(value) | Is::Masked(_, value) => [value.into(), u64::from(value) | 1 << 33],
            Is::Pointer => [1, 1 << 40],
        });
        values.chain([0, 1, 2, u64::MAX]).collect()
    };
    for number in (0..700).chain([0x4000_0000, 0x4000_0029, u32::MAX]) {
        let values = interesting(table.get(&i64::from(number)).map_or(&[][..], Vec::as_slice));
        for _ in 0..60 {
            let arguments = std::array::from_fn(|_| {
                let n = next();
                if n.is_multiple_of(8) { n } else { values[n as usize % values.len()] }
            });
            let expected = look_up(table, otherwise, number, arguments);
            assert_eq!(run(&program, THIS, number, arguments), expected, "call {number} {arguments:x?}");
        }
    }
    assert_eq!(run(&program, THIS ^ 1, 0, [0; 6]), KILL);
}

fn rule(conditions: &[(u8, Is)], fate: Fate) -> Rule {
    Rule { conditions: conditions.to_vec(), fate }
}

#[test]
fn a_program_decides_as_its_table_does() {
    let mut table = Table::new();
    compare(&table, Fate::Errno(38));
    table.insert(0, vec![rule(&[], Fate::Allowed)]);
    table.insert(1, vec![rule(&[], Fate::Allowed)]);
    table.insert(
        2,
        vec![rule(&[(1, Is::Masked(0xf, 1)), (0, Is::Equal(2))], Fate::Asked), rule(&[], Fate::Errno(1))],
    );
    table.insert(
        3,
        vec![rule(&[(5, Is::Pointer)], Fate::Errno(0)), rule(&[(3, Is::Equal(7))], Fate::Allowed)],
    );
    compare(&table, Fate::Errno(38));
}

#[test]
fn a_large_table_is_searched_over_any_distance() {
    let mut next = numbers();
    let mut table = Table::new();
    for number in 0..600 {
        let conditions: Vec<(u8, Is)> = (0..next() % 4)
            .map(|_| {
                (
                    (next() % 6) as u8,
                    [Is::Equal(3), Is::Equal(9), Is::Masked(6, 2), Is::Pointer][next() as usize % 4],
                )
            })
            .collect();
        if !next().is_multiple_of(3) {
            table.insert(number, vec![rule(&conditions, Fate::Errno((next() % 5) as i32))]);
        }
    }
    compare(&table, Fate::Errno(38));
}

#[test]
fn calls_of_one_fate_are_one_range() {
    let table: Table = (0..300).map(|number| (number, vec![rule(&[], Fate::Allowed)])).collect();
    assert_eq!(compile(&table, Fate::Errno(38)).len(), 7);
}
