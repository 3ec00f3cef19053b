//! HTTP requests with ureq: a client for each set of access data, made when it is first used.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use super::url;
use crate::error::{Kind, PackagesError, Result};

/// A server that sends nothing for this long is given up (dnf's `timeout`).
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes a second below which a server is given up (dnf's `minrate`).
const LEAST_RATE: u64 = 1000;
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How a repository is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Certificates are not verified.
    pub no_tls_verify: bool,
    /// Certificates to trust instead of the system's: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// User and password of basic authentication.
    pub login: Option<(String, String)>,
    /// URL of a proxy; `None` takes it from the environment, `_none_` takes none.
    pub proxy: Option<String>,
}

/// A client; connections are kept and shared by threads.
pub struct Client {
    access: Access,
    agent: OnceLock<Agent>,
}

/// The answer to a request.
pub struct Answer {
    /// What comes.
    pub body: Box<dyn Read>,
    /// It continues at the offset that was asked for.
    pub resumed: bool,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(access: Access) -> Self {
        Self { access, agent: OnceLock::new() }
    }

    fn agent(&self) -> Result<&Agent> {
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let built = build(&self.access)?;
        Ok(self.agent.get_or_init(|| built))
    }

    /// Asks for a URL from an offset on. `expected` bytes decide how long it may take.
    pub fn get(&self, address: &str, offset: u64, expected: u64) -> Result<Answer> {
        let fail = |reason: String| {
            PackagesError::new(Kind::Network, format!("cannot fetch {}: {reason}", url::shown(address)))
        };
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Err(fail("neither http nor https".into()));
        }
        let longest = SILENCE + Duration::from_secs(expected / LEAST_RATE);
        let mut request = self
            .agent()?
            .get(address)
            .config()
            .timeout_recv_body(Some(longest))
            .build()
            .header("accept", "*/*");
        if let Some((user, password)) = &self.access.login {
            request =
                request.header("authorization", format!("Basic {}", base64(&format!("{user}:{password}"))));
        }
        if offset > 0 {
            request = request.header("range", format!("bytes={offset}-"));
        }
        let response = request.call().map_err(|error| fail(error.to_string()))?;
        let status = response.status().as_u16();
        let range =
            response.headers().get("content-range").and_then(|range| range.to_str().ok()).unwrap_or_default();
        let resumed = status == 206 && range.starts_with(&format!("bytes {offset}-"));
        match status {
            200 => {}
            206 if resumed => {}
            // The part is as long as the file, or longer: from the beginning.
            416 if offset > 0 => return self.get(address, 0, expected),
            status => return Err(fail(format!("the server answers {status}"))),
        }
        let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(Answer { body: Box::new(Paced::new(reader)), resumed })
    }
}

fn build(access: &Access) -> Result<Agent> {
    let mut tls = TlsConfig::builder().disable_verification(access.no_tls_verify);
    if let Some(roots) = certificates(access)? {
        tls = tls.root_certs(roots);
    }
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(8)
        .user_agent(concat!("redpak/", env!("CARGO_PKG_VERSION")))
        // Metadata is compressed as files, and their checksums are of the compressed bytes.
        .accept_encoding("identity")
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .tls_config(tls.build());
    match access.proxy.as_deref() {
        None => {}
        Some("_none_") => config = config.proxy(None),
        Some(proxy) => {
            let made = Proxy::new(proxy).map_err(|error| {
                PackagesError::new(Kind::Config, format!("`{}` is no proxy", url::shown(proxy)))
                    .with_source(error)
            })?;
            config = config.proxy(Some(made));
        }
    }
    Ok(config.build().new_agent())
}

/// The certificates to trust: the repository's, the system's, or `None` for those that redpak was built with.
fn certificates(access: &Access) -> Result<Option<RootCerts>> {
    let pem = match &access.ca_file {
        Some(file) => Some(
            fs::read(file).map_err(|error| PackagesError::io(format!("read({})", file.display()), error))?,
        ),
        None => SYSTEM_CERTIFICATES.iter().find_map(|file| fs::read(file).ok()),
    };
    let Some(pem) = pem else { return Ok(None) };
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match (&access.ca_file, found.is_empty()) {
        (Some(file), true) => {
            Err(PackagesError::new(Kind::Config, format!("{}: no certificate in PEM form", file.display())))
        }
        (None, true) => Ok(None),
        (_, false) => Ok(Some(RootCerts::new_with_certs(&found))),
    }
}

/// A stream that fails when it is slower than [`LEAST_RATE`] over a span of [`SILENCE`].
struct Paced<R> {
    inner: R,
    since: Instant,
    count: u64,
}

impl<R> Paced<R> {
    fn new(inner: R) -> Self {
        Self { inner, since: Instant::now(), count: 0 }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        let span = self.since.elapsed();
        if span >= SILENCE {
            if count > 0 && self.count / span.as_secs().max(1) < LEAST_RATE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "slower than 1000 bytes a second"));
            }
            (self.since, self.count) = (Instant::now(), 0);
        }
        Ok(count)
    }
}

/// Base64 of RFC 4648, for basic authentication.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            out.push(match digit <= chunk.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]),
                false => '=',
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text), expected);
        }
    }
}
