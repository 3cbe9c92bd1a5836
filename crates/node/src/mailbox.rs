//! What the promises of one JavaScript thread settle with. A promise of its own way there would cost a
//! thread-safe function each, some 40 µs; so they have numbers, and whatever has come of them since
//! JavaScript last looked is handed over in one call.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use napi::bindgen_prelude::{FnArgs, Function, Null, ToNapiValue, within_runtime_if_available};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status, sys};
use napi_derive::napi;
use polaris_core::error::{CoreError, ErrorCode};

use crate::error::Failure;

/// What a promise settles with: text, null, or what it is rejected with.
pub(crate) type Answer = std::result::Result<Option<String>, Failure>;

/// A promise's number, or what became of it. Both lie in one flat array, in turn.
pub struct Letter(Content);

enum Content {
    Number(u32),
    Answer(Answer),
}

/// Weak: whoever waits keeps the thread alive, see `npm/src/promises.ts`.
type Bell = ThreadsafeFunction<(), (), FnArgs<(Vec<Letter>,)>, Status, false, true>;

/// The mailbox of one JavaScript thread.
#[napi]
pub struct Mailbox {
    inner: Arc<Inner>,
}

struct Inner {
    post: Arc<Mutex<Post>>,
    bell: Bell,
}

#[derive(Default)]
struct Post {
    letters: VecDeque<Letter>,
    /// Calls of JavaScript that are under way. Each takes [`AT_ONCE`] letters.
    rings: usize,
    /// A task is about to make those that are missing.
    is_summoned: bool,
}

impl Post {
    fn add(&mut self, number: u32, answer: Answer) {
        self.letters.extend([Content::Number(number), Content::Answer(answer)].map(Letter));
    }

    /// How many calls are missing; they are under way from now on.
    fn missing_rings(&mut self) -> usize {
        let missing = self.letters.len().div_ceil(AT_ONCE).saturating_sub(self.rings);
        self.rings += missing;
        missing
    }
}

/// Letters of one call: of 32 promises. With a thousand runs, all that is due at one moment would be in
/// JavaScript's memory at the same time (`npm run bench -- concurrent`: 15 MiB).
const AT_ONCE: usize = 64;

fn open(post: &Mutex<Post>) -> MutexGuard<'_, Post> {
    post.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mailbox that is emptied into `settle`, on the thread that calls this.
#[napi(catch_unwind, ts_args_type = "settle: (letters: unknown[]) => void")]
pub fn open_mailbox(settle: Function<'_, FnArgs<(Vec<Letter>,)>, ()>) -> Result<Mailbox> {
    let post = Arc::<Mutex<Post>>::default();
    let taken = Arc::clone(&post);
    let bell = settle.build_threadsafe_function::<()>().weak::<true>().build_callback(move |_| {
        let mut post = open(&taken);
        post.rings -= 1;
        let count = post.letters.len().min(AT_ONCE);
        Ok((post.letters.drain(..count).collect::<Vec<_>>(),).into())
    })?;
    Ok(Mailbox { inner: Arc::new(Inner { post, bell }) })
}

impl Mailbox {
    /// Settles the promise `number` with what comes of `answer`.
    pub(crate) fn promise(&self, number: u32, answer: impl Future<Output = Answer> + Send + 'static) {
        let inner = Arc::clone(&self.inner);
        within_runtime_if_available(|| {
            tokio::spawn(async move {
                let answer = AssertUnwindSafe(answer).catch_unwind().await;
                let answer = answer
                    .unwrap_or_else(|_| Err(CoreError::new(ErrorCode::Internal, "the core panicked").into()));
                inner.settle(number, answer);
            })
        });
    }

    /// Settles the promise `number` at once.
    pub(crate) fn settle(&self, number: u32, answer: Answer) {
        self.inner.settle(number, answer);
    }

    /// Settles the promise `number` together with what the other tasks that are due now have: with a
    /// thousand runs, the thread is called a fifth as often (`npm run bench -- concurrent`).
    pub(crate) fn settle_soon(&self, number: u32, answer: Answer) {
        self.inner.settle_soon(number, answer);
    }

    /// The same mailbox.
    pub(crate) fn share(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl Inner {
    fn settle(&self, number: u32, answer: Answer) {
        let rings = {
            let mut post = open(&self.post);
            post.add(number, answer);
            post.missing_rings()
        };
        self.ring(rings);
    }

    fn settle_soon(self: &Arc<Self>, number: u32, answer: Answer) {
        let is_first = {
            let mut post = open(&self.post);
            post.add(number, answer);
            !std::mem::replace(&mut post.is_summoned, true)
        };
        if !is_first {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            let rings = {
                let mut post = open(&inner.post);
                post.is_summoned = false;
                post.missing_rings()
            };
            inner.ring(rings);
        });
    }

    fn ring(&self, times: usize) {
        for _ in 0..times {
            // Fails once the thread is on its way out: nobody waits there any more.
            self.bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

impl ToNapiValue for Letter {
    unsafe fn to_napi_value(env: sys::napi_env, letter: Self) -> Result<sys::napi_value> {
        // SAFETY: all are made in the environment that the caller names, on its thread.
        unsafe {
            match letter.0 {
                Content::Number(number) => u32::to_napi_value(env, number),
                Content::Answer(Ok(None)) => Null::to_napi_value(env, Null),
                Content::Answer(Ok(Some(text))) => String::to_napi_value(env, text).or_else(|error| {
                    // V8 holds no text of more than half a gigabyte.
                    let failure = Failure::internal("an answer of the core cannot be handed over", &error);
                    Failure::to_napi_value(env, failure)
                }),
                Content::Answer(Err(failure)) => Failure::to_napi_value(env, failure),
            }
        }
    }
}
