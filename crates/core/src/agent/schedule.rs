//! Runs the tool calls of one turn: side by side where they do not touch the same path, in the
//! order given where they do. Results come in the order of the calls.

use std::future::Future;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::tool::Access;

/// For each call, the earlier calls that it waits for. Pure.
pub fn dependencies(accesses: &[Access]) -> Vec<Vec<usize>> {
    accesses
        .iter()
        .enumerate()
        .map(|(n, access)| (0..n).filter(|&earlier| access.conflicts(&accesses[earlier])).collect())
        .collect()
}

/// Runs call `n` by `start(n)`, at most `limit` at a time, each after its dependencies.
/// Dropping the future stops every call.
pub async fn run<T, F: Future<Output = T>>(
    accesses: &[Access],
    limit: usize,
    start: impl Fn(usize) -> F,
) -> Vec<T> {
    let mut waiting_for = dependencies(accesses);
    let mut pending: Vec<usize> = (0..accesses.len()).collect();
    let mut running = FuturesUnordered::new();
    let mut results: Vec<Option<T>> = accesses.iter().map(|_| None).collect();
    loop {
        pending.retain(|&n| {
            let ready = waiting_for[n].is_empty() && running.len() < limit.max(1);
            if ready {
                let call = start(n);
                running.push(async move { (n, call.await) });
            }
            !ready
        });
        let Some((done, result)) = running.next().await else { break };
        results[done] = Some(result);
        for dependencies in &mut waiting_for {
            dependencies.retain(|&n| n != done);
        }
    }
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    fn read(path: &str) -> Access {
        Access::Read(path.into())
    }

    fn write(path: &str) -> Access {
        Access::Write(path.into())
    }

    #[test]
    fn calls_wait_only_for_what_they_conflict_with() {
        let accesses = [write("a"), read("b"), read("a"), write("b"), read("")];
        assert_eq!(dependencies(&accesses), [vec![], vec![], vec![0], vec![1], vec![0, 3]]);
    }

    #[tokio::test]
    async fn independent_calls_run_side_by_side_and_results_keep_the_order() {
        let log = RefCell::new(Vec::new());
        let results = run(&[read("a"), read("b"), write("a")], 8, |n| {
            let log = &log;
            async move {
                log.borrow_mut().push(format!("start {n}"));
                // The first call yields longest, so that it ends last of those that it runs beside.
                for _ in 0..(3 - n) {
                    tokio::task::yield_now().await;
                }
                log.borrow_mut().push(format!("end {n}"));
                n
            }
        })
        .await;
        assert_eq!(results, [0, 1, 2]);
        assert_eq!(*log.borrow(), ["start 0", "start 1", "end 1", "end 0", "start 2", "end 2"]);
    }

    #[tokio::test]
    async fn no_more_than_the_limit_runs_at_once() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let accesses: Vec<Access> = (0..20).map(|n| read(&n.to_string())).collect();
        let results = run(&accesses, 3, |n| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                tokio::task::yield_now().await;
                now.set(now.get() - 1);
                n
            }
        })
        .await;
        assert_eq!((results.len(), most.get()), (20, 3));
    }
}
