//! Which URLs may be asked for: pages of the public web. A service that runs inside a company's
//! network could otherwise be sent to machines that only it can reach. Literal addresses are looked
//! at as they are; a name, at every address that it has now.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use url::{Host, Url};

/// Says which addresses a name has.
pub type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Lets URLs through, or says why not.
#[derive(Clone)]
pub struct Guard {
    resolve: Resolve,
    allow_loopback: bool,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("allow_loopback", &self.allow_loopback).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that asks the system for the addresses of names. Loopback is for tests: pages of this
    /// machine itself, nothing else that is not public.
    pub fn new(allow_loopback: bool) -> Self {
        let resolve = |name: String| {
            async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) }
                .boxed()
        };
        Self::with_names(Arc::new(resolve), allow_loopback)
    }

    /// A guard with names of its own.
    pub fn with_names(resolve: Resolve, allow_loopback: bool) -> Self {
        Self { resolve, allow_loopback }
    }

    /// Whether `url` may be asked for.
    ///
    /// # Errors
    /// Why not, in one line.
    pub async fn check(&self, url: &Url) -> Result<(), String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("its scheme is {}", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name or a password".to_owned());
        }
        match url.host() {
            None => Err("it names no host".to_owned()),
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(name)) => {
                let addresses = (self.resolve)(name.to_owned()).await.unwrap_or_default();
                if addresses.is_empty() {
                    return Err(format!("{name} has no address"));
                }
                addresses.into_iter().try_for_each(|address| {
                    self.check_address(address)
                        .map_err(|why| format!("{name} has an address that is not public: {why}"))
                })
            }
        }
    }

    fn check_address(&self, address: IpAddr) -> Result<(), String> {
        let why = match kind(address) {
            Kind::Public => return Ok(()),
            Kind::Loopback if self.allow_loopback => return Ok(()),
            Kind::Loopback => "is this machine's own",
            Kind::LinkLocal => "is link-local",
            Kind::Private => "is private or reserved",
        };
        Err(format!("{address} {why}"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    LinkLocal,
    /// Everything else that is not for the public: private, shared, documentation, multicast, reserved.
    Private,
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

/// By the registry of special-purpose addresses (RFC 6890, IANA).
fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [127, ..] => Kind::Loopback,
        [169, 254, ..] => Kind::LinkLocal,
        [0 | 10 | 224..=255, ..]
        | [100, 64..=127, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Kind::Private,
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if address.is_loopback() {
        return Kind::Loopback;
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([one, two], [three, four]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_v4(Ipv4Addr::new(one, two, three, four))
    };
    match (a, b) {
        (0xfe80..=0xfebf, _) => Kind::LinkLocal,
        // An IPv4 address in disguise: mapped and compatible, NAT64, 6to4.
        (0, 0) if [c, d, e] == [0; 3] && matches!(f, 0 | 0xffff) => embedded(g, h),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => embedded(g, h),
        (0x2002, _) => embedded(b, c),
        // Teredo and other protocol assignments, documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => Kind::Private,
        // What is given out to the public; unique local, site-local and multicast lie outside.
        (0x2000..=0x3fff, _) => Kind::Public,
        _ => Kind::Private,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow_loopback: bool) -> Guard {
        let names = |name: String| {
            let addresses: &[&str] = match name.as_str() {
                "public.example" => &["93.184.216.34", "2606:2800:220:1::1"],
                "inside.example" => &["93.184.216.34", "10.0.0.7"],
                "metadata.example" => &["169.254.169.254"],
                "here.example" => &["127.0.0.1"],
                _ => &[],
            };
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            async move { Ok(addresses) }.boxed()
        };
        Guard::with_names(Arc::new(names), allow_loopback)
    }

    async fn refusal(url: &str, allow_loopback: bool) -> Option<String> {
        guard(allow_loopback).check(&Url::parse(url).unwrap()).await.err()
    }

    #[tokio::test]
    async fn pages_of_the_public_web_may_be_asked_for() {
        for url in [
            "https://public.example/a?b#c",
            "http://93.184.216.34:8080/",
            "https://[2606:2800:220:1::1]/",
            "http://[::ffff:8.8.8.8]/",
            "http://172.32.0.1/",
            "http://100.63.255.255/",
        ] {
            assert_eq!(refusal(url, false).await, None, "{url}");
        }
    }

    #[tokio::test]
    async fn what_is_not_public_is_refused_literal_disguised_or_resolved() {
        for (url, why) in [
            ("http://10.1.2.3/", "private"),
            ("http://172.16.0.1/", "private"),
            ("http://192.168.0.1/", "private"),
            ("http://100.64.0.1/", "private"),
            ("http://0.0.0.0/", "private"),
            ("http://255.255.255.255/", "private"),
            ("http://169.254.169.254/latest/meta-data", "link-local"),
            ("http://127.0.0.1/", "this machine"),
            ("http://2130706433/", "this machine"),
            ("http://0x7f.1/", "this machine"),
            ("http://0177.0.0.1/", "this machine"),
            ("http://[::1]/", "this machine"),
            ("http://[::]/", "private"),
            ("http://[::ffff:127.0.0.1]/", "this machine"),
            ("http://[::ffff:10.0.0.1]/", "private"),
            ("http://[64:ff9b::a00:1]/", "private"),
            ("http://[2002:a00:1::]/", "private"),
            ("http://[fe80::1]/", "link-local"),
            ("http://[fd00::1]/", "private"),
            ("http://[ff02::1]/", "private"),
            (
                "https://inside.example/",
                "inside.example has an address that is not public: 10.0.0.7 is private",
            ),
            ("https://metadata.example/", "link-local"),
            ("https://here.example/", "this machine"),
            ("https://nowhere.example/", "nowhere.example has no address"),
            ("https://user:pw@public.example/", "a user name or a password"),
        ] {
            let refusal = refusal(url, false).await.unwrap_or_default();
            assert!(refusal.contains(why), "{url}: {refusal:?}");
            assert!(!refusal.contains("pw"), "{refusal}");
        }
    }

    #[tokio::test]
    async fn an_operator_may_allow_loopback_and_nothing_beyond() {
        for url in ["http://127.0.0.1:1/", "http://[::1]/", "http://here.example/"] {
            assert_eq!(refusal(url, true).await, None, "{url}");
        }
        for url in ["http://10.0.0.1/", "http://169.254.169.254/", "http://inside.example/"] {
            assert!(refusal(url, true).await.is_some(), "{url}");
        }
    }

    #[tokio::test]
    async fn the_systems_names_are_looked_up() {
        let refusal = Guard::new(false).check(&Url::parse("http://localhost/").unwrap()).await.unwrap_err();
        assert!(refusal.contains("this machine"), "{refusal}");
    }
}
