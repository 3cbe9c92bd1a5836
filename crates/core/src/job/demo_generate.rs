//! Job `demo-generate`: one answer to one prompt. The pages that the prompt names are scraped first,
//! where scraping is set up, and put before the question; a page that cannot be had is left out.

use serde::Deserialize;
use serde_json::{Value, json};
use ts_rs::TS;

use super::agent::Nowhere;
use super::process_message::stopped;
use super::{Context, RunResult, payload};
use crate::config::ScrapeConfig;
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::MessageStatus;
use crate::model::ChatMessage;
use crate::scrape::firecrawl::Firecrawl;
use crate::scrape::policy::Guard;
use crate::scrape::{Scraped, Scraper, urls};
use crate::tool::registry::Registry;

/// The longest prompt that is taken, in UTF-8 bytes.
pub const MAX_PROMPT_BYTES: usize = 256 << 10;

/// The payload of job `demo-generate`.
#[derive(Debug, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DemoGeneratePayload {
    /// What is asked; may name pages by their URLs.
    pub prompt: String,
}

pub(super) async fn run(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: DemoGeneratePayload = payload::read(payload)?;
    let prompt = payload.prompt;
    let invalid = |why: String| CoreError::new(ErrorCode::PayloadInvalid, format!("payload.prompt {why}"));
    if prompt.trim().is_empty() {
        return Err(invalid("is blank".to_owned()));
    }
    if prompt.len() > MAX_PROMPT_BYTES {
        let bytes = prompt.len();
        return Err(invalid(format!("is {bytes} bytes long, at most {MAX_PROMPT_BYTES} are taken")));
    }
    // Before anything is scraped: without a model there is no use for it.
    let models = context.models()?;
    let scraper = match ScrapeConfig::from_env(&context.env)? {
        Some(config) => {
            let guard = Guard::new(config.allow_loopback);
            Some(Scraper::new(Firecrawl::new(config)?, guard, context.options.scrape.clone()))
        }
        None => None,
    };
    let tools = Registry::default();
    let body = async {
        let scraped = match &scraper {
            Some(scraper) => scraper.scrape(&urls::find(&prompt)).await,
            None => Scraped::default(),
        };
        let counts = json!({ "pages": scraped.pages.len(), "leftOut": scraped.left_out.len() });
        context.telemetry.breadcrumb("scrape", "pages for the prompt", counts);
        let question = if scraped.pages.is_empty() {
            prompt
        } else {
            format!("Context:\n{}\n\nQuestion: {prompt}", scraped.pages.join("\n\n"))
        };
        let messages = vec![ChatMessage::User(question)];
        let answer = context.agent(&models, &tools).run(messages, None, &Nowhere).await?;
        Ok((answer, scraped.left_out))
    };
    let (answer, left_out) = context.until_cancelled(body).await.map_err(stopped)??;
    let model = match &models.fallback {
        Some(fallback) if answer.used_fallback => fallback,
        _ => &models.primary,
    };
    Ok(RunResult {
        text: Some(answer.text.clone()),
        provider: Some(model.provider().to_owned()),
        left_out: Some(left_out).filter(|left_out| !left_out.is_empty()),
        ..RunResult::answered(MessageStatus::Completed, &answer)
    })
}
