//! A message over TLS as users have it: a private CA, HTTP/1.1 and HTTP/2, a proxy, a long line.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use futures::future::join_all;
use polaris_core::cancel::CancelReason;
use polaris_core::config::Env;
use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::event::{Event, MessageStatus};
use polaris_core::job::Run;
use serde_json::json;
use support::http::Part;
use support::model::{Model, finish as finish_event, paced, parts, stream, text};
use support::store::{INTERNAL_KEY, MESSAGE, Store};
use support::tls::{Ca, Flaw, Front};
use support::{finish, spec, text_of};

/// Half of the 150 ms that a request from one continent to another takes and back.
const FAR: Duration = Duration::from_millis(75);

/// How the model and the store are reached.
#[derive(Debug, Clone, Copy)]
struct Way {
    protocol: &'static str,
    proxy: bool,
    delay: Duration,
}

const NEAR: Way = Way { protocol: "h2", proxy: false, delay: Duration::ZERO };

const WAYS: [Way; 6] = [
    NEAR,
    Way { protocol: "http/1.1", ..NEAR },
    Way { proxy: true, ..NEAR },
    Way { protocol: "http/1.1", proxy: true, ..NEAR },
    Way { delay: FAR, ..NEAR },
    Way { protocol: "http/1.1", proxy: true, delay: FAR },
];

/// A model and a store behind TLS.
struct Remote {
    model: Model,
    store: Store,
    env: Env,
    fronts: Vec<Front>,
    _ca: Ca,
}

impl Remote {
    async fn start(way: Way, model: Model) -> Self {
        let store = Store::start("Hi").await;
        let ca = Ca::new(&format!("{}-{}", store.server.url.replace([':', '/'], ""), way.protocol.len()));
        let mut fronts = Vec::new();
        let mut ports = Vec::new();
        for upstream in [&model.server.url, &store.server.url] {
            let front = Front::tls(&ca, Flaw::None, way.protocol, upstream).await;
            let mut port = front.port;
            fronts.push(front);
            if way.delay > Duration::ZERO {
                let line = Front::far(port, way.delay).await;
                port = line.port;
                fronts.push(line);
            }
            ports.push(port);
        }
        let mut vars = vec![("NODE_EXTRA_CA_CERTS".to_owned(), ca.file.to_str().unwrap().to_owned())];
        let urls = if way.proxy {
            let proxy = Front::proxy(vec![("model.test", ports[0]), ("store.test", ports[1])]).await;
            vars.push(("HTTPS_PROXY".to_owned(), format!("http://127.0.0.1:{}", proxy.port)));
            fronts.push(proxy);
            ["https://model.test".to_owned(), "https://store.test".to_owned()]
        } else {
            [0, 1].map(|n| format!("https://localhost:{}", ports[n]))
        };
        vars.extend([
            ("POLARIS_PRIMARY_BASE_URL".to_owned(), format!("{}/v1", urls[0])),
            ("POLARIS_PRIMARY_MODEL".to_owned(), "scripted".to_owned()),
            ("POLARIS_PRIMARY_API_KEY".to_owned(), "key-of-the-test".to_owned()),
            ("CONVEX_URL".to_owned(), urls[1].clone()),
            ("POLARIS_CONVEX_INTERNAL_KEY".to_owned(), INTERNAL_KEY.to_owned()),
        ]);
        Self { model, store, env: vars.into_iter().collect(), fronts, _ca: ca }
    }

    fn run(&self) -> Run {
        let spec = spec("process-message", json!({ "messageId": MESSAGE }), json!({}));
        Run::start(spec, self.env.clone())
    }
}

#[tokio::test]
async fn a_message_arrives_whole_over_every_way() {
    join_all(WAYS.map(|way| async move {
        let remote =
            Remote::start(way, Model::start(vec![paced(50, 6, Duration::from_millis(5))]).await).await;
        let (events, result) = finish(&remote.run()).await;
        assert_eq!(result.unwrap().status, MessageStatus::Completed, "{way:?}");
        let sent: String = (0..50).map(|n| format!("{n:06} ")).collect();
        assert_eq!(text_of(&events), sent, "{way:?}");
        remote
            .store
            .with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("completed", sent.as_str())));
        if way.proxy {
            assert!(remote.fronts.last().unwrap().connections() >= 2, "{way:?} must go through the proxy");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_cancel_closes_the_models_stream_over_every_way() {
    join_all(WAYS.map(|way| async move {
        let endless = parts(vec![Part::Bytes(text("Once upon").into_bytes()), Part::Hang]);
        let remote = Remote::start(way, Model::start(vec![endless]).await).await;
        let run = remote.run();
        first_text(&run).await;
        run.cancel(CancelReason::Cancelled);
        let (_, result) = finish(&run).await;
        assert_eq!(result.unwrap_err().code, ErrorCode::Cancelled, "{way:?}");
        remote.model.server.client_closed().await;
        remote
            .store
            .with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("cancelled", "Once upon")));
    }))
    .await;
}

#[tokio::test]
async fn a_cancel_resets_its_own_http2_stream_and_no_other() {
    let (first, second) = ("Once upon", "a time");
    let model = Model::start(vec![
        parts(vec![Part::Bytes(text(first).into_bytes()), Part::Hang]),
        paced(100, 6, Duration::from_millis(5)),
    ])
    .await;
    let remote = Remote::start(NEAR, model).await;
    let agent = || {
        let payload = json!({ "messages": [{ "role": "user", "content": second }] });
        Run::start(spec("agent", payload, json!({})), remote.env.clone())
    };
    let cancelled = agent();
    first_text(&cancelled).await;
    let other = agent();
    first_text(&other).await;
    cancelled.cancel(CancelReason::Cancelled);
    remote.model.server.client_closed().await;
    let result = other.result().await.unwrap();
    assert_eq!(result.text.unwrap().len(), 700);
    assert_eq!(remote.fronts[0].connections(), 1, "both runs must have shared a connection");
}

#[tokio::test]
async fn each_flaw_of_a_certificate_has_its_own_code_and_a_way_out() {
    let model = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    let ca = Ca::new("flaws");
    let file = ca.file.to_str().unwrap();
    let cases = [
        (Flaw::Expired, Some(file), ErrorCode::TlsCertificateExpired, "clock"),
        (Flaw::OtherHost, Some(file), ErrorCode::TlsWrongHost, "host name"),
        (Flaw::None, None, ErrorCode::TlsUnknownIssuer, "NODE_EXTRA_CA_CERTS"),
    ];
    for (flaw, trusted, code, way_out) in cases {
        let front = Front::tls(&ca, flaw, "h2", &model.server.url).await;
        let url = format!("https://localhost:{}", front.port);
        let check = |who: &str, error: CoreError| {
            assert_eq!(error.code, code, "{who}: {error:?}");
            assert!(error.message.contains("localhost") && code.hint().contains(way_out), "{error}");
            assert!(!error.retryable(), "{who}: another attempt meets the same certificate");
        };
        let mut vars = vec![
            ("POLARIS_PRIMARY_BASE_URL", format!("{url}/v1")),
            ("POLARIS_PRIMARY_MODEL", "scripted".to_owned()),
        ];
        vars.extend(trusted.map(|file| ("NODE_EXTRA_CA_CERTS", file.to_owned())));
        let payload = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
        let run = Run::start(spec("agent", payload, json!({})), vars.into_iter().collect());
        check("model", run.result().await.unwrap_err());

        let mut vars = vec![
            ("CONVEX_URL", url),
            ("POLARIS_CONVEX_INTERNAL_KEY", INTERNAL_KEY.to_owned()),
            ("POLARIS_PRIMARY_BASE_URL", format!("{}/v1", model.server.url)),
            ("POLARIS_PRIMARY_MODEL", "scripted".to_owned()),
        ];
        vars.extend(trusted.map(|file| ("NODE_EXTRA_CA_CERTS", file.to_owned())));
        let spec = spec("process-message", json!({ "messageId": MESSAGE }), json!({}));
        check("store", Run::start(spec, vars.into_iter().collect()).result().await.unwrap_err());
    }
    assert_eq!(model.server.requests(), 0, "nothing may be sent before the certificate is believed");
}

async fn first_text(run: &Run) {
    while let Some(batch) = run.next_batch().await {
        if batch.iter().any(|event| matches!(event, Event::Text { .. })) {
            return;
        }
    }
    panic!("the run ended without text");
}
