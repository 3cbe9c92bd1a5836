//! Pages of the web for a prompt: which URLs a text names ([`urls`]), which of them may be asked for
//! ([`policy`]), and the service that turns a page into Markdown ([`firecrawl`]). Never ends a run: a
//! page that cannot be had is left out, with its reason.

pub mod firecrawl;
pub mod policy;
pub mod urls;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use ts_rs::TS;
use url::Url;

use self::firecrawl::Firecrawl;
use self::policy::Guard;
use self::urls::Found;
use crate::config::ScrapeLimits;

/// A URL whose page is not part of what the model was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct LeftOut {
    /// The URL, as it stands in the prompt.
    pub url: String,
    /// Why, in one line.
    pub reason: String,
}

/// What came of a prompt's URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scraped {
    /// The pages in Markdown, in the order of their URLs.
    pub pages: Vec<String>,
    /// The others.
    pub left_out: Vec<LeftOut>,
}

/// A service, whom it may be sent to, and how far.
#[derive(Debug, Clone)]
pub struct Scraper {
    service: Firecrawl,
    guard: Arc<Guard>,
    limits: ScrapeLimits,
}

impl Scraper {
    /// A scraper within these limits.
    pub fn new(service: Firecrawl, guard: Guard, limits: ScrapeLimits) -> Self {
        Self { service, guard: Arc::new(guard), limits }
    }

    /// The pages of these URLs, asked for side by side.
    pub async fn scrape(&self, found: &[Found]) -> Scraped {
        let (taken, beyond) = found.split_at(found.len().min(self.limits.max_urls as usize));
        let pages = join_all(taken.iter().map(|found| self.page(&found.url))).await;
        let mut scraped = Scraped::default();
        let mut room = self.limits.max_total_bytes as usize;
        for (found, page) in taken.iter().zip(pages) {
            let page = page.and_then(|page| {
                let page = cut(page, room.min(self.limits.max_page_bytes as usize));
                if page.is_empty() {
                    Err("the other pages have used up the room".to_owned())
                } else {
                    Ok(page)
                }
            });
            match page {
                Ok(page) => {
                    room -= page.len();
                    scraped.pages.push(page);
                }
                Err(reason) => scraped.left_out.push(LeftOut { url: found.text.clone(), reason }),
            }
        }
        let max = self.limits.max_urls;
        scraped.left_out.extend(beyond.iter().map(|found| LeftOut {
            url: found.text.clone(),
            reason: format!("the prompt names more than {max} URLs"),
        }));
        scraped
    }

    /// One page; `Err` is the reason why not.
    async fn page(&self, url: &Result<Url, String>) -> Result<String, String> {
        let url = url.as_ref().map_err(Clone::clone)?;
        let limit = Duration::from_millis(u64::from(self.limits.page_ms));
        let page = async {
            self.guard.check(url).await?;
            let page = self.service.scrape(url, limit).await?;
            // The service follows redirects: what counts is where the text came from.
            for came_from in page.came_from {
                let refused = |why| format!("the page came from elsewhere: {why}");
                let came_from = Url::parse(&came_from).map_err(|_| refused("no URL".to_owned()))?;
                if came_from != *url {
                    self.guard.check(&came_from).await.map_err(refused)?;
                }
            }
            Ok(page.markdown)
        };
        let in_time = tokio::time::timeout(limit, page).await;
        in_time.unwrap_or_else(|_| Err(format!("no answer within {} ms", self.limits.page_ms)))
    }
}

/// The head of a page, at most `max` bytes.
fn cut(mut page: String, max: usize) -> String {
    page.truncate(page.floor_char_boundary(max));
    page
}
