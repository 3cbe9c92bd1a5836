//! The body of an answer, piece by piece, within a time. Where many answers stream in one process, each
//! is looked at every [`PAUSE`] instead of at every packet: what has come meanwhile is then read in one go,
//! while what belongs to the stream is in the processor's caches.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Version;
use tokio::time::{Instant, Sleep, sleep_until};

/// From this many streams on, none is looked at more often than every [`PAUSE`].
const MANY: usize = 64;
/// Half the time for which text waits anyway (`event::BATCH_INTERVAL`): with 200 streams of 100 deltas a
/// second, a third less CPU (`npm run bench -- concurrent`).
const PAUSE: Duration = Duration::from_millis(50);

/// A piece, the end, or what broke.
type Piece = reqwest::Result<Option<Bytes>>;

/// A body that is read.
pub(super) struct Body {
    pub(super) response: reqwest::Response,
    /// Serves all pieces: each moves the deadline on, and the timer is set again only when it has rung
    /// before its time.
    alarm: Pin<Box<Sleep>>,
    reading: Reading,
}

/// How much a piece matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Somebody waits for it: the first text, the end.
    None,
    /// It may come up to [`PAUSE`] later, behind others.
    Some,
}

impl Body {
    /// The body of `response`, of which a piece is expected before `deadline`.
    pub(super) fn new(response: reqwest::Response, deadline: Instant) -> Self {
        let alarm = Box::pin(sleep_until(deadline));
        Self { response, alarm, reading: Reading::begin() }
    }

    /// The next piece: `None` if `deadline` passes first.
    pub(super) async fn piece(&mut self, deadline: Instant, patience: Patience) -> Option<Piece> {
        let now = Instant::now();
        // A timeout gives way to a piece that is there: without this, comments that never pause would
        // keep the turn open for ever.
        if now >= deadline {
            return None;
        }
        if patience == Patience::Some && self.has_own_connection() && self.reading.is_one_of_many() {
            let response = &mut self.response;
            if let Some(piece) = what_is_there(|cx| pin!(response.chunk()).poll(cx)).await {
                return Some(piece);
            }
            self.alarm.as_mut().reset(deadline.min(now + PAUSE));
            self.alarm.as_mut().await;
        }
        self.wait(deadline).await
    }

    /// Streams that share a connection (HTTP/2) share its window, too: one that is not read would hold up
    /// the others.
    fn has_own_connection(&self) -> bool {
        self.response.version() < Version::HTTP_2
    }

    async fn wait(&mut self, deadline: Instant) -> Option<Piece> {
        let mut piece = pin!(self.response.chunk());
        let alarm = &mut self.alarm;
        poll_fn(|cx| {
            if let Poll::Ready(piece) = piece.as_mut().poll(cx) {
                return Poll::Ready(Some(piece));
            }
            loop {
                if alarm.is_elapsed() || alarm.deadline() > deadline {
                    alarm.as_mut().reset(deadline);
                }
                ready!(alarm.as_mut().poll(cx));
                if Instant::now() >= deadline {
                    return Poll::Ready(None);
                }
            }
        })
        .await
    }
}

/// What `poll` gives without waiting, once all tasks that it has woken have had their turn: the one that
/// reads the connection is among them. Whoever gets `None` is not woken by what comes later.
async fn what_is_there<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    let mut is_again = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_again, true) {
            return Poll::Ready(match poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(piece) => Some(piece),
                Poll::Pending => None,
            });
        }
        match poll(cx) {
            Poll::Ready(piece) => Poll::Ready(Some(piece)),
            Poll::Pending => {
                // Behind those that were just woken.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// Counts a stream for as long as it is read.
struct Reading(&'static AtomicUsize);

impl Reading {
    fn begin() -> Self {
        static STREAMS: AtomicUsize = AtomicUsize::new(0);
        Self::of(&STREAMS)
    }

    fn of(streams: &'static AtomicUsize) -> Self {
        streams.fetch_add(1, Ordering::Relaxed);
        Self(streams)
    }

    fn is_one_of_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MANY
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Network;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::{Notify, mpsc};

    #[tokio::test]
    async fn who_brings_the_next_piece_has_its_turn() {
        let (pieces, mut came) = mpsc::unbounded_channel();
        let wanted = Arc::new(Notify::new());
        tokio::spawn({
            let wanted = Arc::clone(&wanted);
            async move {
                for piece in 0..3 {
                    wanted.notified().await;
                    let _ = pieces.send(piece);
                }
                wanted.notified().await;
                std::mem::forget(pieces);
            }
        });
        let mut found = Vec::new();
        while let Some(piece) = what_is_there(|cx| {
            wanted.notify_one();
            came.poll_recv(cx)
        })
        .await
        {
            found.push(piece);
        }
        assert_eq!(found, [Some(0), Some(1), Some(2)]);
    }

    #[derive(Default)]
    struct Counted(AtomicU32);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_comes_later_wakes_nobody() {
        let (pieces, mut came) = mpsc::unbounded_channel();
        let count = Arc::<Counted>::default();
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        {
            let mut looking = pin!(what_is_there(|cx| came.poll_recv(cx)));
            assert!(looking.as_mut().poll(&mut cx).is_pending());
            assert_eq!(count.0.load(Ordering::Relaxed), 1, "behind those that were woken");
            assert_eq!(looking.as_mut().poll(&mut cx), Poll::Ready(None));
        }
        pieces.send(1).unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(came.try_recv(), Ok(1), "and nothing is lost");
    }

    /// One of `others` more, at a server that sends `pieces` one by one, each when it is told to.
    async fn body_of(pieces: u32, others: usize, mut go: mpsc::UnboundedReceiver<()>) -> Body {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
            for piece in 0..pieces {
                go.recv().await;
                stream.write_all(format!("4\r\n{piece:04}\r\n").as_bytes()).await.unwrap();
            }
            go.recv().await;
            let _ = stream.write_all(b"0\r\n\r\n").await;
        });
        let client =
            crate::http::client(&url.parse().unwrap(), &Network::default(), Duration::from_secs(60)).unwrap();
        let response = client.get(url).send().await.unwrap();
        let mut body = Body::new(response, Instant::now() + Duration::from_secs(60));
        body.reading = Reading::of(Box::leak(Box::new(AtomicUsize::new(others))));
        body
    }

    #[tokio::test]
    async fn one_of_many_loses_nothing_and_ends() {
        for others in [0, MANY] {
            let (go, goes) = mpsc::unbounded_channel();
            let mut body = body_of(200, others, goes).await;
            let mut came = String::new();
            go.send(()).unwrap();
            loop {
                let deadline = Instant::now() + Duration::from_secs(60);
                let Some(piece) = body.piece(deadline, Patience::Some).await.unwrap().unwrap() else { break };
                came.push_str(std::str::from_utf8(&piece).unwrap());
                // Some alone, some behind others that are not read yet.
                for _ in 0..came.len() % 3 {
                    let _ = go.send(());
                }
                let _ = go.send(());
            }
            let sent: String = (0..200).map(|piece| format!("{piece:04}")).collect();
            assert_eq!(came, sent);
        }
    }

    #[tokio::test]
    async fn one_of_many_gives_up_at_its_deadline() {
        let (go, goes) = mpsc::unbounded_channel();
        let mut body = body_of(2, MANY, goes).await;
        go.send(()).unwrap();
        let hour = Instant::now() + Duration::from_secs(3_600);
        assert!(body.piece(hour, Patience::None).await.unwrap().unwrap().is_some());
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(body.piece(soon, Patience::Some).await.is_none());
        assert!(Instant::now() >= soon);
        go.send(()).unwrap();
        let piece = body.piece(hour, Patience::Some).await.unwrap().unwrap();
        assert_eq!(piece.as_deref(), Some(b"0001".as_slice()));
    }
}
