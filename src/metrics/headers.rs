//! Headers as OpenTelemetry writes them in one text: `NAME=VALUE,NAME=VALUE`, values percent-encoded where they have to be.

/// The headers, in their order.
///
/// # Errors
/// What is wrong, without repeating it: it is a secret.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut headers = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("is not NAME=VALUE,NAME=VALUE")?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
            return Err("has a name that is none of a header");
        }
        let value = decoded(value.trim()).ok_or("has a value that is not percent-encoded UTF-8")?;
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err("has a value with a control character");
        }
        headers.push((name, value));
    }
    Ok(headers)
}

fn decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_as_opentelemetry_writes_them() {
        // https://opentelemetry.io/docs/specs/otel/protocol/exporter/: "key1=value1,key2=value2".
        let headers = parse(" Authorization = Basic%20dXNlcjpwYXNz= ,api-key=a=b,, ").unwrap();
        let expected = [("authorization", "Basic dXNlcjpwYXNz="), ("api-key", "a=b")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_header_is_refused_without_being_repeated() {
        for wrong in ["secret", "=secret", "a b=secret", "a=secret%0d%0aHost: x", "a=secret%", "a=secret%zz", "a=secret%ff"] {
            assert!(!parse(wrong).unwrap_err().contains("secret"), "{wrong}");
        }
    }
}
