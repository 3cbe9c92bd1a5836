//! Connections of a command that may have any: it asks for a TCP socket, and gets one end of a
//! connection to the one Unix socket of the request. No socket of the network is ever inside.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::sys::{self, Question};

/// Answers a command's questions.
pub(crate) struct Connections {
    to: PathBuf,
    /// Brings the listener, once.
    asks: Option<UnixStream>,
    listener: Option<OwnedFd>,
}

impl Connections {
    /// Of a command that was launched with these; without them there is nothing to answer.
    pub(crate) fn new(to: Option<&PathBuf>, asks: Option<UnixStream>) -> Self {
        Self { to: to.cloned().unwrap_or_default(), asks, listener: None }
    }

    /// What becomes readable when there is something to do; -1: nothing ever will.
    pub(crate) fn fd(&self) -> RawFd {
        let asks = self.asks.as_ref().map(|asks| asks.as_raw_fd());
        self.listener.as_ref().map(|listener| listener.as_raw_fd()).or(asks).unwrap_or(-1)
    }

    /// Does what there is to do, by what `poll` says of [`Connections::fd`].
    pub(crate) fn look(&mut self, ready: i16) {
        if let Some(asks) = self.asks.take() {
            // Nothing comes if the launch failed.
            self.listener = sys::receive_descriptor(asks.as_fd()).ok().flatten();
            return;
        }
        let Some(listener) = &self.listener else { return };
        // Everyone who could ask is gone: to wait for a question would be to wait for ever.
        if ready & libc::POLLIN == 0 {
            self.listener = None;
            return;
        }
        if let Ok(Some(question)) = sys::next_question(listener) {
            self.answer(listener, &question);
        }
    }

    /// Whoever has asked may be gone: then nobody hears the answer.
    fn answer(&self, listener: &OwnedFd, question: &Question) {
        let kind = question.arguments[1];
        let wants = |flag: i32| kind & flag as u64 != 0;
        let given = sys::connect(&self.to).and_then(|socket| {
            if !wants(libc::SOCK_NONBLOCK) {
                sys::set_blocking(socket.as_raw_fd())?;
            }
            sys::give(listener, question, &socket, wants(libc::SOCK_CLOEXEC))
        });
        if given.is_err() {
            let _ = sys::refuse(listener, question, libc::ENETDOWN);
        }
    }
}
