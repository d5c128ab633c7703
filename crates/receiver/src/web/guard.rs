//! Which request gets an answer: decided from its head alone, before anything is looked up.
//!
//! The page shows what guests say, so only who started the receiver is to see it. Loopback alone does not do that:
//! every local user reaches it, and so does any web page whose name was made to resolve to it (DNS rebinding). Hence a
//! random token in the address, which is said on the terminal and nowhere else; a list of names in `Host`; nothing but
//! GET; and no answer to what another site's page asks (`Sec-Fetch-Site`).

use openssl::memcmp;

/// The random part of the address: 32 bytes as hexadecimal digits.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Token")
    }
}

impl Token {
    /// A fresh one.
    ///
    /// # Errors
    /// OpenSSL has no randomness.
    pub fn fresh() -> Result<Token, openssl::error::ErrorStack> {
        let mut bytes = [0; 32];
        openssl::rand::rand_bytes(&mut bytes)?;
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// For the terminal.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn is(&self, other: &str) -> bool {
        other.len() == self.0.len() && memcmp::eq(other.as_bytes(), self.0.as_bytes())
    }
}

/// What counts of a request's head.
#[derive(Debug, Clone, Copy)]
pub struct Head<'h> {
    /// The method.
    pub method: &'h str,
    /// The path, without the query.
    pub path: &'h str,
    /// The fields `Host`; there must be one.
    pub hosts: &'h [&'h [u8]],
    /// `Sec-Fetch-Site`, where a browser says it.
    pub site: Option<&'h [u8]>,
}

/// Why a request gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is for another name.
    Host,
    /// Another site's page asks.
    Site,
    /// It is no GET.
    Method,
    /// The token is missing or another.
    Token,
}

impl Refusal {
    /// Status code of HTTP (RFC 9110 section 15.5).
    pub fn status(self) -> u16 {
        match self {
            Refusal::Host => 421,
            Refusal::Site => 403,
            Refusal::Method => 405,
            Refusal::Token => 404,
        }
    }
}

/// The part of the path behind the token, for a page at this port.
///
/// # Errors
/// [`Refusal`].
pub fn admit<'h>(head: &Head<'h>, port: u16, token: &Token) -> Result<&'h str, Refusal> {
    let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")];
    match head.hosts {
        [host] if names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(host)) => {}
        _ => return Err(Refusal::Host),
    }
    if !matches!(head.site, None | Some(b"none" | b"same-origin")) {
        return Err(Refusal::Site);
    }
    if head.method != "GET" {
        return Err(Refusal::Method);
    }
    let rest = head.path.strip_prefix('/').ok_or(Refusal::Token)?;
    let (given, rest) = rest.split_once('/').ok_or(Refusal::Token)?;
    if token.is(given) { Ok(rest) } else { Err(Refusal::Token) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_request_passes() {
        let token = Token("ab".repeat(32));
        let other = format!("/{}/state", "ac".repeat(32));
        let right = format!("/{}/state", token.expose());
        let own: &[&[u8]] = &[b"127.0.0.1:8080"];
        let head = Head { method: "GET", path: &right, hosts: own, site: None };
        assert_eq!(admit(&head, 8080, &token), Ok("state"));
        for host in ["localhost:8080", "LOCALHOST:8080", "[::1]:8080"] {
            assert_eq!(
                admit(&Head { hosts: &[host.as_bytes()], ..head }, 8080, &token),
                Ok("state"),
                "{host}"
            );
        }
        for host in [
            "evil.example:8080",
            "127.0.0.1",
            "127.0.0.1:8081",
            "127.0.0.1.evil.example:8080",
            "localhost.:8080",
            "",
            "0.0.0.0:8080",
            "user@127.0.0.1:8080",
        ] {
            let head = Head { hosts: &[host.as_bytes()], ..head };
            assert_eq!(admit(&head, 8080, &token), Err(Refusal::Host), "{host}");
        }
        assert_eq!(admit(&Head { hosts: &[], ..head }, 8080, &token), Err(Refusal::Host));
        let twice: &[&[u8]] = &[b"127.0.0.1:8080", b"127.0.0.1:8080"];
        assert_eq!(admit(&Head { hosts: twice, ..head }, 8080, &token), Err(Refusal::Host));
        for (site, expected) in [
            ("none", Ok("state")),
            ("same-origin", Ok("state")),
            ("same-site", Err(Refusal::Site)),
            ("cross-site", Err(Refusal::Site)),
        ] {
            assert_eq!(
                admit(&Head { site: Some(site.as_bytes()), ..head }, 8080, &token),
                expected,
                "{site}"
            );
        }
        for method in ["POST", "HEAD", "OPTIONS", "PUT", "get", "TRACE"] {
            assert_eq!(admit(&Head { method, ..head }, 8080, &token), Err(Refusal::Method), "{method}");
        }
        for path in
            ["/", "", "/state", "//state", &other, &right[..65], "/ab/state", &right.replace('a', "A")]
        {
            assert_eq!(admit(&Head { path, ..head }, 8080, &token), Err(Refusal::Token), "{path}");
        }
    }

    #[test]
    fn tokens_are_long_and_different() {
        let (one, other) = (Token::fresh().unwrap(), Token::fresh().unwrap());
        assert!(one.expose().len() == 64 && one.expose() != other.expose());
        assert_eq!(format!("{one:?}"), "Token");
    }
}
