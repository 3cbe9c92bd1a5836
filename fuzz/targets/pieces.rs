//! How a target cuts its input: the first byte says how many cuts, as many bytes say where.

pub fn split(input: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let Some((&cuts, rest)) = input.split_first() else { return (Vec::new(), input) };
    let (at, bytes) = rest.split_at(usize::from(cuts % 16).min(rest.len()));
    let mut pieces = Vec::new();
    let mut left = bytes;
    for &size in at {
        let (piece, more) = left.split_at(usize::from(size).min(left.len()));
        pieces.push(piece);
        left = more;
    }
    pieces.push(left);
    (pieces, bytes)
}
