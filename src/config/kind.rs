//! Holding a value against the kind of its key: what each kind accepts, and what is said about the rest.
//!
//! No message repeats a value that may be a secret.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};

use super::keys::{ValueKind, nearest};
use super::secret::Secret;
use super::value::{Raw, Value, shown};
use crate::window::Length;

/// Why a value is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: String,
    /// The item of a list that is to blame, from 0.
    pub(super) item: Option<usize>,
}

fn fault(message: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault { message: message.into(), hint: hint.into(), item: None }
}

/// What a value from the environment or from a flag, which is always text, means to a key of this kind.
pub(super) fn from_plain(kind: ValueKind, text: &str) -> Raw {
    match kind {
        ValueKind::Number(..) | ValueKind::Integer(..) => Raw::number_in(text),
        ValueKind::Switch => Raw::switch_in(text),
        ValueKind::Features if text == AUTO => Raw::Text(AUTO.to_owned()),
        ValueKind::Features | ValueKind::Subset(_) | ValueKind::Texts => Raw::list_in(text),
        _ => Raw::Text(text.to_owned()),
    }
}

/// The value of `features.include` that stands for every column that both sides share.
pub(super) const AUTO: &str = "auto";

/// The value that counts.
///
/// # Errors
/// Everything that keeps the value from being of the kind; a list can hold several faults.
pub(super) fn accept(kind: ValueKind, raw: &Raw) -> Result<Value, Vec<Fault>> {
    match (kind, raw) {
        (ValueKind::Features, Raw::List(items)) => features(items),
        (ValueKind::Subset(of), Raw::List(items)) => list(items, |item| choice(of, item)),
        (ValueKind::Texts, Raw::List(items)) => list(items, printable),
        _ => accept_one(kind, raw).map_err(|fault| vec![fault]),
    }
}

fn accept_one(kind: ValueKind, raw: &Raw) -> Result<Value, Fault> {
    match (kind, raw) {
        (ValueKind::Number(low, high), Raw::Float(_) | Raw::Integer(_)) => number(low, high, raw),
        (ValueKind::Integer(least, most), Raw::Integer(number)) => integer(least, most, *number),
        (ValueKind::Switch, Raw::Switch(value)) => Ok(Value::Switch(*value)),
        (ValueKind::Switch, Raw::Text(text)) => Err(fault(format!("{} is neither true nor false", shown(text)), wanted(kind))),
        (ValueKind::Switch, other) => Err(fault(format!("is {}, neither true nor false", other.what()), wanted(kind))),
        (ValueKind::Features, Raw::Text(text)) if text == AUTO => Ok(Value::Text(text.clone())),
        (ValueKind::Number(..) | ValueKind::Integer(..) | ValueKind::Features | ValueKind::Subset(_) | ValueKind::Texts, _) => {
            Err(fault(format!("is {}", described(kind, raw)), wanted(kind)))
        }
        (_, Raw::Text(text)) => text_of(kind, text),
        (_, other) => Err(fault(format!("is {}, not a text", other.what()), wanted(kind))),
    }
}

/// A text in place of a number is shown; other values are named by their type only.
fn described(kind: ValueKind, raw: &Raw) -> String {
    match (kind, raw) {
        (ValueKind::Number(..) | ValueKind::Integer(..), Raw::Text(text)) => format!("{}, not a number", shown(text)),
        (ValueKind::Integer(..), Raw::Float(number)) => format!("`{number}`, not a whole number"),
        (ValueKind::Number(..) | ValueKind::Integer(..), other) => format!("{}, not a number", other.what()),
        (_, other) => format!("{}, not a list", other.what()),
    }
}

/// What to write for a kind.
pub(super) fn wanted(kind: ValueKind) -> String {
    match kind {
        ValueKind::Label => "write letters, digits, `.`, `_` and `-`, at most 63, the first a letter or digit".to_owned(),
        ValueKind::Text => "write a text, or \"\" for not set".to_owned(),
        ValueKind::Path => "write a path".to_owned(),
        ValueKind::Folder => "write a folder of the bucket, such as \"predictions/\"".to_owned(),
        ValueKind::BucketUri => "supported are a folder, \"file:PATH\", and Google Cloud Storage, \"gs://BUCKET\"".to_owned(),
        ValueKind::Url => "write \"https://HOST\" without credentials, or \"\" for not set".to_owned(),
        ValueKind::Host => "write \"HOST:PORT\" without credentials, or \"\" for not set".to_owned(),
        ValueKind::Database => "write \"(default)\", or a name of lower-case letters, digits and `-`".to_owned(),
        ValueKind::Length => "write a positive length of time, such as \"30m\", \"6h\", \"24h\" or \"7d\"".to_owned(),
        ValueKind::OptionalLength => "write a positive length of time, such as \"6h\", or \"\" for not set".to_owned(),
        ValueKind::LengthOrZero => "write a length of time, such as \"0s\", \"30m\" or \"1h\"".to_owned(),
        ValueKind::DatePattern => {
            "write %Y, %m, %d and %H, in this order, each at most once, such as \"%Y/%m/%d\", or \"\" for not set".to_owned()
        }
        ValueKind::Number(low, high) => format!("write a number {}", between(low, high)),
        ValueKind::Integer(least, most) => format!("write a whole number from {least} to {most}"),
        ValueKind::Choice(of) => format!("write one of {}", of.join(", ")),
        ValueKind::Features => "write \"auto\" or a list of column names, such as [\"age\", \"dose\"]".to_owned(),
        ValueKind::Subset(of) => format!("write a list of {}", of.join(", ")),
        ValueKind::Texts => "write a list of texts, such as [\"a\", \"b\"]".to_owned(),
        ValueKind::Switch => "write true or false".to_owned(),
        ValueKind::Secret => "write where the secret is kept, \"env:NAME\" or \"file:/path\", never the secret itself".to_owned(),
    }
}

fn between(low: Bound<f64>, high: Bound<f64>) -> String {
    let low = match low {
        Bound::Included(low) => format!("at least {low}"),
        Bound::Excluded(low) => format!("above {low}"),
        Bound::Unbounded => String::new(),
    };
    match high {
        Bound::Included(high) => format!("{low} and at most {high}"),
        Bound::Excluded(high) => format!("{low} and below {high}"),
        Bound::Unbounded => low,
    }
}

fn number(low: Bound<f64>, high: Bound<f64>, raw: &Raw) -> Result<Value, Fault> {
    let number = match raw {
        Raw::Float(number) => *number,
        // Every bound in the table is far below 2^53: what an integer loses here is out of range anyway.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        Raw::Integer(number) => *number as f64,
        _ => f64::NAN,
    };
    // Adding zero turns -0.0 into 0.0, so that equal configurations have equal digests.
    let number = number + 0.0;
    if number.is_finite() && (low, high).contains(&number) {
        return Ok(Value::Number(number));
    }
    Err(fault(format!("`{number}` is out of range"), wanted(ValueKind::Number(low, high))))
}

fn integer(least: i64, most: i64, number: i64) -> Result<Value, Fault> {
    if (least..=most).contains(&number) {
        return Ok(Value::Integer(number));
    }
    Err(fault(format!("`{number}` is out of range"), wanted(ValueKind::Integer(least, most))))
}

fn list(items: &[Raw], check: impl Fn(&str) -> Result<(), Fault>) -> Result<Value, Vec<Fault>> {
    let mut accepted = Vec::with_capacity(items.len());
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let checked = match item {
            Raw::Text(text) if text.is_empty() => Err(fault(format!("item {} is empty", index + 1), "remove it")),
            Raw::Text(text) if !seen.insert(text) => {
                Err(fault(format!("{} is listed twice", shown(text)), "remove one of the two"))
            }
            Raw::Text(text) => check(text).map(|()| accepted.push(text.clone())),
            other => Err(fault(format!("item {} is {}, not a text", index + 1, other.what()), "quote every item")),
        };
        faults.extend(checked.err().map(|fault| Fault { item: Some(index), ..fault }));
    }
    if faults.is_empty() { Ok(Value::List(accepted)) } else { Err(faults) }
}

fn features(items: &[Raw]) -> Result<Value, Vec<Fault>> {
    if items.is_empty() {
        return Err(vec![fault("the list is empty, so nothing would be checked", wanted(ValueKind::Features))]);
    }
    list(items, printable)
}

fn printable(text: &str) -> Result<(), Fault> {
    if text.contains(char::is_control) {
        return Err(fault("holds a control character", "remove it"));
    }
    Ok(())
}

fn choice(of: &[&'static str], text: &str) -> Result<(), Fault> {
    if of.contains(&text) {
        return Ok(());
    }
    let meant = nearest(text, of.iter().copied()).map(|meant| format!("did you mean \"{meant}\"? ")).unwrap_or_default();
    Err(fault(format!("{} is not known", shown(text)), format!("{meant}allowed: {}", of.join(", "))))
}

/// Kinds that are one text.
fn text_of(kind: ValueKind, text: &str) -> Result<Value, Fault> {
    let optional = matches!(
        kind,
        ValueKind::Text | ValueKind::Url | ValueKind::Host | ValueKind::OptionalLength | ValueKind::DatePattern | ValueKind::Secret
    );
    if text.is_empty() {
        return if optional { Ok(Value::Text(String::new())) } else { Err(fault("is empty", wanted(kind))) };
    }
    printable(text)?;
    let refuse = |what: &str| Err(fault(format!("{} is not {what}", shown(text)), wanted(kind)));
    match kind {
        ValueKind::Choice(of) => choice(of, text)?,
        ValueKind::Label if !is_label(text) => return refuse("a plain name"),
        ValueKind::Database if !is_database(text) => return refuse("a database"),
        ValueKind::Folder if !is_folder(text) => return refuse("a folder of the bucket"),
        ValueKind::BucketUri => bucket_uri(text)?,
        ValueKind::Url if !is_url(text) => return refuse("an address"),
        ValueKind::Host if text.contains(['@', '/', ' ']) => return refuse("a host"),
        ValueKind::DatePattern if !is_date_pattern(text) => return refuse("a date pattern"),
        ValueKind::Secret if Secret::reference(text).is_none() => {
            return Err(fault("is not a reference to a secret (its value is not shown)", wanted(kind)));
        }
        ValueKind::LengthOrZero if is_zero(text) => return Ok(Value::Text("0s".to_owned())),
        ValueKind::Length | ValueKind::OptionalLength | ValueKind::LengthOrZero => {
            let length: Length =
                text.parse().map_err(|_| fault(format!("{} is not a length of time", shown(text)), wanted(kind)))?;
            // One way to write a length, so that `1d` and `24h` have the same digest.
            return Ok(Value::Text(length.to_string()));
        }
        _ => {}
    }
    Ok(Value::Text(text.to_owned()))
}

pub(super) fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(inner)
}

/// By Google's rules.
fn is_database(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = (4..=63).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(inner);
    text == "(default)" || is_name && !text.ends_with('-')
}

fn is_folder(text: &str) -> bool {
    text.strip_suffix('/').is_some_and(|folder| folder.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['@', ' ', '?', '#']))
}

fn is_zero(text: &str) -> bool {
    let digits = text.strip_suffix(['s', 'm', 'h', 'd', 'w']);
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit == b'0'))
}

/// A folder, or a bucket's name by Google's rules.
fn bucket_uri(text: &str) -> Result<(), Fault> {
    let hint = wanted(ValueKind::BucketUri);
    if let Some(path) = text.strip_prefix("file:") {
        return if path.strip_prefix("//").unwrap_or(path).is_empty() { Err(fault("names no folder", hint)) } else { Ok(()) };
    }
    if let Some(rest) = text.strip_prefix("gs://") {
        let name = rest.strip_suffix('/').unwrap_or(rest);
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_name =
            (3..=222).contains(&name.len()) && name.chars().all(inner) && name.starts_with(outer) && name.ends_with(outer);
        return if is_name { Ok(()) } else { Err(fault(format!("{} is not a bucket", shown(rest)), hint)) };
    }
    match text.split_once(':') {
        Some((scheme, _)) if is_label(scheme) => Err(fault(format!("the scheme `{scheme}:` is not supported"), hint)),
        _ if shown(text).contains(text) => {
            Err(fault(format!("`{text}` has no scheme"), format!("write \"file:{text}\" for a folder; {hint}")))
        }
        _ => Err(fault("has no scheme", hint)),
    }
}

/// Year, month, day and hour, from the largest down, none left out: objects are picked by their day or hour.
fn is_date_pattern(text: &str) -> bool {
    let mut specifiers = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let mut chars = after.chars();
        specifiers.extend(chars.next());
        if after.is_empty() {
            return false;
        }
        rest = chars.as_str();
    }
    matches!(specifiers.as_slice(), ['Y'] | ['Y', 'm'] | ['Y', 'm', 'd'] | ['Y', 'm', 'd', 'H'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::CHANNELS;

    fn text(kind: ValueKind, text: &str) -> Result<Value, Vec<Fault>> {
        accept(kind, &Raw::Text(text.to_owned()))
    }

    #[test]
    fn a_number_lies_within_its_bounds() {
        let share = ValueKind::Number(Bound::Included(0.0), Bound::Excluded(1.0));
        assert_eq!(accept(share, &Raw::Integer(0)), Ok(Value::Number(0.0)));
        assert_eq!(accept(share, &Raw::Float(-0.0)).unwrap().to_string(), "0.0");
        for refused in
            [Raw::Float(1.0), Raw::Float(-0.1), Raw::Float(f64::NAN), Raw::Float(f64::INFINITY), Raw::Text("0.3".to_owned())]
        {
            assert!(accept(share, &refused).is_err(), "{refused:?}");
        }
        let fault = &accept(share, &Raw::Integer(1)).unwrap_err()[0];
        assert_eq!((fault.message.as_str(), fault.hint.as_str()), ("`1` is out of range", "write a number at least 0 and below 1"));
    }

    #[test]
    fn what_comes_from_the_environment_is_read_as_its_key_says() {
        let number = ValueKind::Number(Bound::Included(0.0), Bound::Included(1.0));
        assert_eq!(from_plain(number, "0.25"), Raw::Float(0.25));
        assert_eq!(from_plain(ValueKind::Text, "0.25"), Raw::Text("0.25".to_owned()));
        assert_eq!(from_plain(ValueKind::Features, "auto"), Raw::Text("auto".to_owned()));
        assert_eq!(from_plain(ValueKind::Features, "a"), Raw::List(vec![Raw::Text("a".to_owned())]));
    }

    #[test]
    fn a_length_may_be_zero_or_unset_only_where_the_kind_says_so() {
        assert_eq!(text(ValueKind::LengthOrZero, "00h"), Ok(Value::Text("0s".to_owned())));
        assert_eq!(text(ValueKind::Length, "1d"), Ok(Value::Text("24h".to_owned())));
        assert_eq!(text(ValueKind::OptionalLength, ""), Ok(Value::Text(String::new())));
        assert!(text(ValueKind::Length, "0s").is_err());
        assert!(text(ValueKind::Length, "").is_err());
        assert!(text(ValueKind::LengthOrZero, "h").is_err());
        assert!(text(ValueKind::LengthOrZero, "").is_err());
    }

    #[test]
    fn a_bucket_is_a_folder_or_on_google_cloud_storage() {
        for accepted in
            ["file:.", "file:./fixtures/bucket", "file:/data", "file:///data", "gs://ct-scan-drift-logs-482907", "gs://abc/"]
        {
            assert!(text(ValueKind::BucketUri, accepted).is_ok(), "{accepted}");
        }
        for refused in
            ["", ".", "/data", "file:", "s3://bucket", "gs://", "gs://A_b", "gs://abc/folder/", "file://", "gs://user:pw@abc"]
        {
            assert!(text(ValueKind::BucketUri, refused).is_err(), "{refused}");
        }
        assert_eq!(text(ValueKind::BucketUri, "s3://bucket").unwrap_err()[0].message, "the scheme `s3:` is not supported");
    }

    #[test]
    fn a_date_pattern_goes_from_the_year_down() {
        for accepted in ["", "%Y", "%Y/%m/%d", "dt=%Y-%m-%d/hour=%H", "%Y%m%d"] {
            assert!(text(ValueKind::DatePattern, accepted).is_ok(), "{accepted}");
        }
        for refused in ["2026", "%d/%m/%Y", "%Y/%d", "%Y/%Y", "%y", "%Y%", "%Y/%M", "%%Y"] {
            assert!(text(ValueKind::DatePattern, refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_folder_stays_inside_the_bucket() {
        for accepted in ["predictions/", "a/b.c/"] {
            assert!(text(ValueKind::Folder, accepted).is_ok(), "{accepted}");
        }
        for refused in ["", "/", "/a/", "a", "../a/", "a//b/", "a/./"] {
            assert!(text(ValueKind::Folder, refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_list_holds_known_names_once() {
        let channels = |names: &[&str]| {
            accept(ValueKind::Subset(CHANNELS), &Raw::List(names.iter().map(|name| Raw::Text((*name).to_owned())).collect()))
        };
        assert!(channels(&[]).is_ok());
        assert!(channels(&["slack", "email"]).is_ok());
        assert_eq!(channels(&["email", "slak"]).unwrap_err()[0].item, Some(1));
        assert_eq!(channels(&["", "mail", "email", "email"]).unwrap_err().len(), 3);
        assert_eq!(channels(&["email", "email"]).unwrap_err()[0].message, "`email` is listed twice");
    }

    #[test]
    fn the_secret_itself_is_refused_and_not_repeated() {
        let faults = text(ValueKind::Secret, "hunter2").unwrap_err();
        assert!(!format!("{faults:?}").contains("hunter2"));
    }
}
