//! Job `demo-generate`, seen from the model and from the scraping service.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::{Arc, Mutex};

use polaris_core::cancel::CancelReason;
use polaris_core::config::Env;
use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::job::{Run, RunResult};
use serde_json::{Value, json};
use support::http::{Part, Reply, Server};
use support::model::{Model, finish as finish_event, parts, stream, text};
use support::{env, finish, spec};

const KEY: &str = "fc-canary-key";

/// A scraping service that answers by the URL that it is asked for.
struct Service {
    server: Server,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Service {
    async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let requests: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let server = Server::start({
            let requests = Arc::clone(&requests);
            move |request| {
                assert_eq!(request.path, "/v2/scrape");
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let reply = answer(body["url"].as_str().unwrap());
                requests.lock().unwrap().push((request.head, body));
                reply
            }
        })
        .await;
        Self { server, requests }
    }

    fn urls(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let mut urls: Vec<String> =
            requests.iter().map(|(_, body)| body["url"].as_str().unwrap().to_owned()).collect();
        urls.sort();
        urls
    }
}

fn page(url: &str, markdown: &str) -> Reply {
    let metadata = json!({ "sourceURL": url, "url": url, "statusCode": 200 });
    Reply::json(200, json!({ "success": true, "data": { "markdown": markdown, "metadata": metadata } }))
}

async fn answering() -> Model {
    Model::start(vec![stream(text("An answer.") + &finish_event("stop"))]).await
}

fn vars(model: &Model, service: Option<&Service>, more: &[(&str, &str)]) -> Env {
    let mut vars: Vec<(String, String)> = vec![
        ("POLARIS_PRIMARY_BASE_URL".into(), format!("{}/v1", model.server.url)),
        ("POLARIS_PRIMARY_MODEL".into(), "scripted".into()),
        // Nothing outside this machine is ever asked for in a test.
        ("POLARIS_SCRAPE_ALLOW_LOOPBACK".into(), "true".into()),
    ];
    if let Some(service) = service {
        vars.push(("FIRECRAWL_API_KEY".into(), KEY.into()));
        vars.push(("FIRECRAWL_API_URL".into(), service.server.url.clone()));
    }
    vars.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    vars.into_iter().collect()
}

fn start(env: Env, prompt: &str, options: Value) -> Run {
    Run::start(spec("demo-generate", json!({ "prompt": prompt }), options), env)
}

async fn ask(env: Env, prompt: &str, options: Value) -> Result<RunResult, CoreError> {
    finish(&start(env, prompt, options)).await.1
}

fn asked(model: &Model) -> Value {
    let messages = model.request(0)["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 1, "{messages}");
    assert_eq!(messages[0]["role"], "user");
    messages[0]["content"].clone()
}

fn left_out(result: &RunResult) -> Vec<(String, String)> {
    let left_out = result.left_out.clone().unwrap_or_default();
    left_out.into_iter().map(|left_out| (left_out.url, left_out.reason)).collect()
}

#[tokio::test]
async fn the_pages_that_a_prompt_names_come_before_the_question() {
    let service = Service::start(|url| page(url, &format!("# Page {}", &url[url.len() - 1..]))).await;
    let model = answering().await;
    let prompt = "Compare http://127.0.0.1:9/a, (http://127.0.0.1:9/b) and http://127.0.0.1:9/a.";
    let options = json!({ "limits": { "temperature": 0.7, "maxOutputTokens": 2000 } });
    let result = ask(vars(&model, Some(&service), &[]), prompt, options).await.unwrap();
    assert_eq!(asked(&model), format!("Context:\n# Page a\n\n# Page b\n\nQuestion: {prompt}"));
    assert_eq!(model.request(0)["temperature"], 0.7);
    assert_eq!(model.request(0).get("tools"), None);
    assert_eq!(service.urls(), ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]);
    let (head, body) = service.requests.lock().unwrap()[0].clone();
    assert!(head.to_ascii_lowercase().contains(&format!("authorization: bearer {KEY}")), "{head}");
    assert_eq!((&body["formats"], &body["timeout"]), (&json!(["markdown"]), &json!(30_000)));
    assert!(body["origin"].as_str().unwrap().starts_with("polaris-agent@"));
    assert_eq!(
        (result.text.as_deref(), result.provider.as_deref(), result.model.as_str(), result.used_fallback),
        (Some("An answer."), Some("127.0.0.1"), "scripted", false)
    );
    assert_eq!(result.left_out, None);
}

#[tokio::test]
async fn without_a_key_or_a_url_the_prompt_goes_as_it_is() {
    let service = Service::start(|url| page(url, "never")).await;
    let prompt = "What does http://127.0.0.1:9/a say?";
    for (service, more, prompt) in [
        (None, vec![("FIRECRAWL_API_URL", service.server.url.as_str())], prompt),
        (Some(&service), vec![], "No URL in here, not even https://"),
    ] {
        let model = answering().await;
        let result = ask(vars(&model, service, &more), prompt, json!({})).await.unwrap();
        assert_eq!((asked(&model), result.left_out), (json!(prompt), None));
    }
    assert_eq!(service.server.requests(), 0);
}

#[tokio::test]
async fn pages_are_scraped_side_by_side_and_a_cancel_closes_them_all() {
    let service = Service::start(|_| parts(vec![Part::Hang])).await;
    let model = answering().await;
    let prompt = "http://127.0.0.1:9/a http://127.0.0.1:9/b http://127.0.0.1:9/c";
    let run = start(vars(&model, Some(&service), &[]), prompt, json!({}));
    // None of them is answered before all of them are asked.
    service.server.requested(3).await;
    run.cancel(CancelReason::Cancelled);
    assert_eq!(run.result().await.unwrap_err().code, ErrorCode::Cancelled);
    service.server.client_closed().await;
    assert_eq!(model.server.requests(), 0);
}

#[tokio::test]
async fn a_page_that_cannot_be_had_is_left_out_and_named() {
    let error = |status, body: Value| Reply::json(status, body);
    let service = Service::start(move |url| match url.rsplit_once('/').unwrap().1 {
        "good" => page(url, "# Good"),
        "refused" => error(403, json!({ "success": false, "error": format!("Unauthorized: {KEY}\nmore") })),
        "unsuccessful" => error(200, json!({ "success": false, "error": "DNS resolution failed" })),
        "missing" => {
            let metadata = json!({ "sourceURL": url, "statusCode": 404 });
            error(200, json!({ "success": true, "data": { "markdown": "# 404", "metadata": metadata } }))
        }
        "empty" => page(url, " \n"),
        "html" => Reply::Full { status: 200, headers: String::new(), body: b"<html>".to_vec() },
        "inside" => {
            let metadata = json!({ "sourceURL": url, "url": "http://10.0.0.7/admin", "statusCode": 200 });
            error(200, json!({ "success": true, "data": { "markdown": "secret", "metadata": metadata } }))
        }
        other => panic!("{other} was asked for"),
    })
    .await;
    let model = answering().await;
    let cases = [
        ("http://127.0.0.1:9/refused", "127.0.0.1 answered 403: Unauthorized: [key]"),
        ("http://127.0.0.1:9/unsuccessful", "127.0.0.1 could not scrape it: DNS resolution failed"),
        ("http://127.0.0.1:9/missing", "its server answered 404"),
        ("http://127.0.0.1:9/empty", "the page is empty"),
        ("http://127.0.0.1:9/html", "127.0.0.1 does not answer like Firecrawl"),
        ("http://127.0.0.1:9/inside", "the page came from elsewhere: 10.0.0.7 is private or reserved"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is link-local"),
        ("http://192.168.1.1/", "192.168.1.1 is private or reserved"),
        ("http://user:pw@127.0.0.1:9/good", "it holds a user name or a password"),
    ];
    let prompt = format!("{} http://127.0.0.1:9/good", cases.map(|(url, _)| url).join(" "));
    let options = json!({ "scrape": { "maxUrls": 20 } });
    let result = ask(vars(&model, Some(&service), &[]), &prompt, options).await.unwrap();
    assert_eq!(left_out(&result), cases.map(|(url, why)| (url.to_owned(), why.to_owned())));
    assert_eq!(asked(&model), format!("Context:\n# Good\n\nQuestion: {prompt}"));
}

#[tokio::test]
async fn the_service_itself_may_be_away_or_busy() {
    let service = Service::start(|_| Reply::Drop).await;
    let url = service.server.url.clone();
    drop(service);
    let model = answering().await;
    let more = [("FIRECRAWL_API_KEY", KEY), ("FIRECRAWL_API_URL", url.as_str())];
    let options = json!({ "scrape": { "pageMs": 5000 } });
    let result = ask(vars(&model, None, &more), "http://127.0.0.1:9/a", options).await.unwrap();
    assert_eq!(left_out(&result)[0].1, "no connection to 127.0.0.1");

    let tries = Arc::new(Mutex::new(0));
    let busy = Service::start({
        let tries = Arc::clone(&tries);
        move |url| {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            if *tries < 3 {
                let headers = "content-type: application/json\r\nretry-after: 0\r\n".to_owned();
                return Reply::Full { status: 502, headers, body: b"{}".to_vec() };
            }
            page(url, "# At last")
        }
    })
    .await;
    let model = answering().await;
    ask(vars(&model, Some(&busy), &[]), "http://127.0.0.1:9/a", json!({})).await.unwrap();
    assert!(asked(&model).as_str().unwrap().contains("# At last"));
}

#[tokio::test]
async fn count_size_and_time_are_bounded() {
    let service = Service::start(|url| match url.rsplit_once('/').unwrap().1 {
        "hangs" => parts(vec![Part::Hang]),
        name => page(url, &format!("{name}:{}", "é".repeat(100))),
    })
    .await;
    let model = answering().await;
    let prompt = "http://127.0.0.1:9/a http://127.0.0.1:9/hangs http://127.0.0.1:9/b http://127.0.0.1:9/c http://127.0.0.1:9/d";
    let limits = json!({ "maxUrls": 4, "maxPageBytes": 51, "maxTotalBytes": 80, "pageMs": 300 });
    let result = ask(vars(&model, Some(&service), &[]), prompt, json!({ "scrape": limits })).await.unwrap();
    let (a, b) = ("é".repeat(24), "é".repeat(14));
    assert_eq!(asked(&model), format!("Context:\na:{a}\n\nb:{b}\n\nQuestion: {prompt}"));
    assert_eq!(
        left_out(&result),
        [
            ("http://127.0.0.1:9/hangs", "no answer within 300 ms"),
            ("http://127.0.0.1:9/c", "the other pages have used up the room"),
            ("http://127.0.0.1:9/d", "the prompt names more than 4 URLs"),
        ]
        .map(|(url, why)| (url.to_owned(), why.to_owned()))
    );
    assert!(!service.urls().contains(&"http://127.0.0.1:9/d".to_owned()));
}

#[tokio::test]
async fn loopback_is_refused_unless_the_operator_allows_it() {
    let service = Service::start(|url| page(url, "never")).await;
    let model = answering().await;
    let env = vars(&model, Some(&service), &[("POLARIS_SCRAPE_ALLOW_LOOPBACK", "")]);
    let result =
        ask(env, "http://127.0.0.1:9/a http://localhost:9/a http://[::1]:9/a", json!({})).await.unwrap();
    assert_eq!(left_out(&result).len(), 3, "{result:?}");
    assert_eq!(service.server.requests(), 0);
    let env = vars(&model, Some(&service), &[("POLARIS_SCRAPE_ALLOW_LOOPBACK", "perhaps")]);
    let error = ask(env, "x", json!({})).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigInvalid);
    assert!(error.message.starts_with("POLARIS_SCRAPE_ALLOW_LOOPBACK "), "{error}");
}

#[tokio::test]
async fn the_fallback_answers_when_the_primary_cannot_and_the_result_says_so() {
    let refusing = Model::start(vec![Reply::json(402, json!({ "error": { "message": "no credit" } }))]).await;
    let model = answering().await;
    let url = format!("{}/v1", model.server.url);
    let more = [("POLARIS_FALLBACK_BASE_URL", url.as_str()), ("POLARIS_FALLBACK_MODEL", "other")];
    let result = ask(vars(&refusing, None, &more), "Hello", json!({})).await.unwrap();
    assert_eq!((result.model.as_str(), result.used_fallback), ("other", true));
}

#[tokio::test]
async fn a_prompt_that_says_nothing_or_too_much_is_refused_by_name() {
    let model = answering().await;
    for (payload, expected) in [
        (json!({ "prompt": " \n" }), "payload.prompt is blank"),
        (json!({}), "payload: missing field `prompt`"),
        (json!({ "prompt": "x".repeat(1 << 20) }), "payload.prompt is 1048576 bytes long"),
    ] {
        let run = Run::start(spec("demo-generate", payload, json!({})), env(&model.server.url, ""));
        let error = finish(&run).await.1.unwrap_err();
        assert_eq!((error.code, error.retryable()), (ErrorCode::PayloadInvalid, false));
        assert!(error.message.starts_with(expected), "{error}");
    }
    assert_eq!(model.server.requests(), 0);
}
