//! The page on loopback: boots of all guests as they go on.
//!
//! HTTP/1.1 by hyper, on one thread of its own: time-outs for heads, a bound for their size and for connections. Plain
//! HTTP, since it never leaves the machine and a certificate for it would have to be trusted by a browser first; who may
//! ask is decided by [`guard`]. Everything that the page needs is in this program: it loads nothing from elsewhere, and
//! its content policy forbids it to.

pub mod guard;
pub mod view;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::desk::Desk;
use guard::{Head, Refusal, Token, admit};

/// Connections at once.
const CONNECTIONS: usize = 32;
/// How long a head may take.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may last: the page opens the next by itself.
const CONNECTION: Duration = Duration::from_secs(300);
/// Bytes of the longest head.
const BUFFER: usize = 16 << 10;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Beside each answer, refusals included.
const FIELDS: [(&str, &str); 9] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// A page that is served until the process ends.
#[derive(Debug)]
pub struct Web {
    /// Where it is, the token in it.
    pub url: String,
}

impl Web {
    /// Serves the page at a loopback address.
    ///
    /// # Errors
    /// The address is none of loopback, or cannot be had.
    pub fn serve(address: SocketAddr, desk: Arc<Desk>) -> io::Result<Web> {
        if !address.ip().is_loopback() {
            let text =
                format!("{address}: expected an address of loopback for the page, such as 127.0.0.1:8514");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let token = Token::fresh().map_err(io::Error::other)?;
        let listener = std::net::TcpListener::bind(address)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let host = match address.ip() {
            IpAddr::V4(_) => format!("127.0.0.1:{}", address.port()),
            IpAddr::V6(_) => format!("[::1]:{}", address.port()),
        };
        let url = format!("http://{host}/{}/", token.expose());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let site = Arc::new(Site { desk, token, port: address.port() });
        std::thread::Builder::new()
            .name("web".into())
            .spawn(move || runtime.block_on(accept(listener, site)))?;
        Ok(Web { url })
    }
}

struct Site {
    desk: Arc<Desk>,
    token: Token,
    port: u16,
}

async fn accept(listener: std::net::TcpListener, site: Arc<Site>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((connection, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            let answers = service_fn(move |request: Request<Incoming>| {
                let answer = site.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
            let served = server.serve_connection(TokioIo::new(connection), answers);
            // A browser that goes away is no matter.
            let _ = tokio::time::timeout(CONNECTION, served).await;
            drop(place);
        });
    }
}

impl Site {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let hosts: Vec<&[u8]> = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes).collect();
        let head = Head {
            method: request.method().as_str(),
            path: request.uri().path(),
            hosts: &hosts,
            site: request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes),
        };
        match admit(&head, self.port, &self.token) {
            Ok("") => answer(200, "text/html; charset=utf-8", PAGE),
            Ok("page.css") => answer(200, "text/css; charset=utf-8", STYLE),
            Ok("page.js") => answer(200, "text/javascript; charset=utf-8", SCRIPT),
            Ok("state") => answer(200, "application/json", view::state(&self.desk)),
            Ok("records") => {
                let query = request.uri().query().unwrap_or_default();
                answer(200, "application/json", view::records(&self.desk, query))
            }
            Ok(_) => answer(404, "text/plain", "expected a page of the receiver\n"),
            Err(refusal) => refused(refusal),
        }
    }
}

fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    let text = match refusal {
        Refusal::Host => "expected the address that the receiver printed\n",
        Refusal::Site => "expected no other site's page to ask\n",
        Refusal::Method => "expected GET\n",
        Refusal::Token => "expected the whole address that the receiver printed on its terminal\n",
    };
    let mut answer = answer(refusal.status(), "text/plain", text);
    if refusal == Refusal::Method {
        answer.headers_mut().insert("allow", HeaderValue::from_static("GET"));
    }
    answer
}

fn answer(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = answer.headers_mut();
    fields.insert("content-type", HeaderValue::from_static(kind));
    for (name, value) in FIELDS {
        fields.insert(name, HeaderValue::from_static(value));
    }
    answer
}
