//! Tokens of IBM Cloud's Identity and Access Management: how one is asked for, and how long it serves.
//!
//! Follows "Generating an IBM Cloud IAM token by using an API key"
//! (<https://cloud.ibm.com/docs/iam?topic=iam-iamtoken_from_apikey>): a form with `grant_type` and `apikey` is posted to
//! [`PATH`]; the answer is JSON with `access_token` and `expires_in`, in seconds, an hour at most.

use std::time::Duration;

use countersign_crypto::secret::{AccessToken, ApiKey, SecretBytes};
use serde::Deserialize;
use zeroize::Zeroize;

/// Path of the token service.
pub const PATH: &str = "/identity/token";

/// What is asked for.
const GRANT: &str = "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=";

/// The longest token that is taken, in bytes; IAM's have some 1400.
const LONGEST: usize = 16 << 10;

/// After an attempt that failed, while the old token still serves.
const AGAIN: Duration = Duration::from_secs(30);

/// The form that asks for a token.
pub fn request(key: &ApiKey) -> SecretBytes {
    let key = key.expose();
    let mut form = Vec::with_capacity(GRANT.len() + 3 * key.len());
    form.extend_from_slice(GRANT.as_bytes());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => form.push(byte),
            other => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                form.push(b'%');
                form.push(DIGITS[usize::from(other >> 4)]);
                form.push(DIGITS[usize::from(other & 15)]);
            }
        }
    }
    SecretBytes::new(form)
}

/// A token and its time.
#[derive(Debug)]
pub struct Token {
    token: AccessToken,
    /// Uptime from which a new one is asked for.
    renewal: Duration,
    /// Uptime at which it ends.
    end: Duration,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.access_token.zeroize();
    }
}

impl Token {
    /// Reads the answer to a request that was made at this uptime; `None` if no token is in it that can stand in a
    /// header.
    pub fn read(answer: &[u8], asked: Duration) -> Option<Token> {
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        let token = answer.access_token.as_str();
        if token.is_empty() || token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        // `expires_in` and uptime only: the host controls the guest's clock, and `expiration` would be compared with it.
        let life = Duration::from_secs(answer.expires_in.min(86_400));
        let token = AccessToken::copy_from(token);
        Some(Token { token, renewal: asked + life * 4 / 5, end: asked + life })
    }

    /// The token itself.
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// Whether it is time for a new one: from four fifths of its life on.
    pub fn wants_renewal(&self, uptime: Duration) -> bool {
        uptime >= self.renewal
    }

    /// A new one could not be had. Whether this one still serves; if so, a new one is asked for a little later, at its end
    /// at the latest.
    pub fn serves_on(&mut self, uptime: Duration) -> bool {
        self.renewal = (uptime + AGAIN).min(self.end);
        uptime < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_key_is_one_value_of_the_form_whatever_is_in_it() {
        let form = request(&ApiKey::copy_from("aZ09-._~ &=%+\u{e9}"));
        let expected = "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey\
                        &apikey=aZ09-._~%20%26%3D%25%2B%C3%A9";
        assert_eq!(std::str::from_utf8(form.expose()).unwrap(), expected);
    }

    #[test]
    fn a_token_serves_for_its_life_and_is_renewed_before() {
        let answer = br#"{"access_token":"ey.J-x","refresh_token":"not_supported","token_type":"Bearer",
                          "expires_in":3600,"expiration":1795319696,"scope":"ibm openid"}"#;
        let mut token = Token::read(answer, at(100)).unwrap();
        assert_eq!(token.token().expose(), "ey.J-x");
        assert!(!token.wants_renewal(at(2979)) && token.wants_renewal(at(2980)));
        assert!(token.serves_on(at(2980)) && !token.wants_renewal(at(3009)) && token.wants_renewal(at(3010)));
        assert!(token.serves_on(at(3690)) && !token.wants_renewal(at(3699)) && token.wants_renewal(at(3700)));
        assert!(!token.serves_on(at(3700)));
    }

    #[test]
    fn an_answer_without_a_token_that_fits_a_header_is_none() {
        let long = "x".repeat(LONGEST + 1);
        for token in ["", "a b", "a\\r\\nX: y", "\u{e9}", long.as_str()] {
            let answer = format!(r#"{{"access_token":"{token}","expires_in":1}}"#);
            assert!(Token::read(answer.as_bytes(), at(0)).is_none(), "{token:.20}");
        }
        for answer in ["", "{}", "[]", r#"{"access_token":"x"}"#, r#"{"access_token":"x","expires_in":-1}"#] {
            assert!(Token::read(answer.as_bytes(), at(0)).is_none(), "{answer}");
        }
        assert!(Token::read(br#"{"access_token":"x","expires_in":18446744073709551615}"#, at(0)).is_some());
    }
}
