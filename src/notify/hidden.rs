//! A secret in memory: it is used, and never shown.

use std::cmp::Reverse;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What stands where a secret would.
pub(super) const REDACTED: &str = "[redacted]";

/// Parts of a secret address shorter than this, in bytes, are words such as `services`, which say nothing.
const TELLING_BYTES: usize = 9;

/// A secret value. Its `Debug` and `Display` forms do not hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that uses it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// A text from outside, without this secret or a telling part of it, also as it may have been written on its way: a server may repeat
    /// what it was sent.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let parts = self.0.split(['/', '?', '&', '=', '@']).filter(|part| part.len() >= TELLING_BYTES);
        let whole = std::iter::once(self.0.as_str()).filter(|whole| !whole.is_empty());
        let mut forms: Vec<String> = whole.chain(parts).flat_map(forms).collect();
        // The longest first: what is left of one that was replaced in part would still tell.
        forms.sort_by_key(|form| Reverse(form.len()));
        forms.iter().fold(text.to_owned(), |clean, form| clean.replace(form, REDACTED))
    }
}

/// A secret as it is, and percent-encoded, percent-decoded and in base64, also in the middle of something longer.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), encoded(secret)];
    forms.extend(decoded(secret).filter(|decoded| decoded.len() >= TELLING_BYTES));
    for before in 0..3_usize {
        let mut bytes = vec![0; before];
        bytes.extend(secret.as_bytes());
        let text = STANDARD_NO_PAD.encode(&bytes);
        // Without the digits that hold bits of what stands before and after it.
        let own = text.get((before * 8).div_ceil(6)..bytes.len() * 8 / 6).unwrap_or_default();
        if own.len() >= TELLING_BYTES {
            forms.extend([own.to_owned(), own.replace('+', "-").replace('/', "_")]);
        }
    }
    forms
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Nothing where there is nothing to decode, or something that cannot be.
fn decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != text)
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_and_not_repeated() {
        let secret = Hidden::new("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX");
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] Hidden([redacted])");
        assert_eq!(secret.scrub("no team T00000000, no services"), "no team [redacted], no services");
        assert!(!secret.scrub("at /services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX").contains("XXX"));
        assert_eq!(Hidden::new("hunter2").scrub("not hunter2!"), "not [redacted]!");
        assert_eq!(Hidden::new("").scrub("nothing"), "nothing");
    }

    #[test]
    fn a_secret_is_known_again_however_it_was_written_on_its_way() {
        let secret = Hidden::new("a b+c/é-9000");
        for (text, clean) in [
            ("no token a%20b%2Bc%2F%C3%A9-9000.", "no token [redacted]."),
            // printf '\0user\0a b+c/é-9000' | base64
            ("535 AHVzZXIAYSBiK2Mvw6ktOTAwMA==", "535 AHVzZXIA[redacted]A=="),
            // printf 'user:a b+c/é-9000.' | base64 | tr '+/' '-_'
            ("Basic dXNlcjphIGIrYy_DqS05MDAwLg==", "Basic dXNlcjp[redacted]Lg=="),
        ] {
            assert_eq!(secret.scrub(text), clean);
        }
        let address = Hidden::new("https://h.example/a%20secret%20path?x=%20%20%20");
        assert_eq!(address.scrub("GET /a secret path of h.example"), "GET /[redacted] of [redacted]");
        assert_eq!(Hidden::new("100 % wool, %zz").scrub("100 % wool"), "100 % wool");
    }
}
