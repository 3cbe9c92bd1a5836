//! One thread that writes the paced streams, thousands of them: a ring of slots, one per
//! millisecond, each with the streams that are due then. A late tick is made up for, never skipped.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::model::Writes;

/// Milliseconds around the ring; longer than the longest interval.
const SLOTS: u64 = 1_024;

/// A stream to write; its socket comes back when all is written.
struct Stream {
    socket: TcpStream,
    writes: Writes,
    next: usize,
    /// Bytes of the next write that are out already.
    sent: usize,
    interval: u64,
    /// The tick at which the next write is due.
    due: u64,
    back: oneshot::Sender<TcpStream>,
}

/// The way to the thread.
#[derive(Debug, Clone)]
pub struct Wheel(mpsc::Sender<Stream>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Default for Wheel {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || turn(&receiver));
        Self(sender)
    }
}

impl Wheel {
    /// Writes `writes`, `rate` a second, to the non-blocking `socket`. `None`: the client has gone.
    pub async fn play(&self, socket: TcpStream, writes: Writes, rate: usize) -> Option<TcpStream> {
        let (back, done) = oneshot::channel();
        let interval = 1_000 / rate as u64;
        self.0.send(Stream { socket, writes, next: 0, sent: 0, interval, due: 0, back }).ok()?;
        done.await.ok()
    }
}

fn turn(arrivals: &mpsc::Receiver<Stream>) {
    let mut slots: Vec<Vec<Stream>> = (0..SLOTS).map(|_| Vec::new()).collect();
    let mut begin = Instant::now();
    let (mut tick, mut streams, mut arrived) = (0_u64, 0_usize, 0_u64);
    loop {
        if streams == 0 {
            // Nothing to do: sleep until somebody comes.
            let Ok(stream) = arrivals.recv() else { return };
            (begin, tick, arrived) = (Instant::now(), 0, 0);
            streams += add(&mut slots, stream, tick, &mut arrived);
        }
        while let Ok(stream) = arrivals.try_recv() {
            streams += add(&mut slots, stream, tick, &mut arrived);
        }
        let mut due = std::mem::take(&mut slots[(tick % SLOTS) as usize]);
        for mut stream in due.drain(..) {
            match advance(&mut stream, tick) {
                Some(next) => slots[(next % SLOTS) as usize].push(stream),
                None => streams -= 1,
            }
        }
        // Keeps its room for the next time round.
        let slot = &mut slots[(tick % SLOTS) as usize];
        if slot.is_empty() {
            *slot = due;
        }
        tick += 1;
        let at = begin + Duration::from_millis(tick);
        let now = Instant::now();
        if at > now {
            std::thread::sleep(at - now);
        }
    }
}

/// Streams that come together begin spread over one interval.
fn add(slots: &mut [Vec<Stream>], mut stream: Stream, tick: u64, arrived: &mut u64) -> usize {
    stream.due = tick + *arrived % stream.interval;
    *arrived += 1;
    slots[(stream.due % SLOTS) as usize].push(stream);
    1
}

/// Writes what is due and returns the tick of the next write; `None`: done, and the socket is back.
fn advance(stream: &mut Stream, tick: u64) -> Option<u64> {
    let write = stream.writes[stream.next].clone();
    match stream.socket.write(&write[stream.sent..]) {
        Ok(0) => return end(stream, false),
        Ok(n) => stream.sent += n,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        Err(_) => return end(stream, false),
    }
    if stream.sent < write.len() {
        return Some(tick + 1);
    }
    stream.next += 1;
    stream.sent = 0;
    if stream.next == stream.writes.len() {
        return end(stream, true);
    }
    stream.due += stream.interval;
    Some(stream.due.max(tick + 1))
}

fn end(stream: &mut Stream, whole: bool) -> Option<u64> {
    if whole && let Ok(socket) = stream.socket.try_clone() {
        let (unused, _) = oneshot::channel();
        let _ = std::mem::replace(&mut stream.back, unused).send(socket);
    }
    None
}
