//! Values: as a layer writes them (`Raw`) and as they count (`Value`), and how a value is shown.

use std::fmt::{self, Write as _};

use toml::Spanned;
use toml::de::{DeArray, DeValue};

/// A value as a layer writes it, before it is held against its key's kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Integer(i64),
    Float(f64),
    List(Vec<Raw>),
    Switch(bool),
    /// Anything that no key takes: what it is called.
    Other(&'static str),
}

impl Raw {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Self::Integer(number),
                Err(_) => Self::Other("an integer beyond 64 bits"),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Self::Float(number),
                Err(_) => Self::Other("a malformed number"),
            },
            DeValue::Boolean(value) => Self::Switch(*value),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Array(items) => Self::list(items),
            DeValue::Table(_) => Self::Other("a section"),
        }
    }

    fn list(items: &DeArray<'_>) -> Self {
        Self::List(items.iter().map(|item| Self::from_toml(item.get_ref())).collect())
    }

    /// A number where the text is one, else the text.
    pub(super) fn number_in(text: &str) -> Self {
        let integer = text.parse().map(Self::Integer);
        let number = integer.or_else(|_| text.parse().map(Self::Float));
        number.unwrap_or_else(|_| Self::Text(text.to_owned()))
    }

    /// True or false where the text says so, else the text.
    pub(super) fn switch_in(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Switch)
    }

    /// A list in TOML's and JSON's brackets, or the parts between commas.
    pub(super) fn list_in(text: &str) -> Self {
        let text = text.trim();
        if text.starts_with('[') {
            let parsed = DeValue::parse(text).map(Spanned::into_inner);
            return parsed.map_or_else(|_| Self::Other("a malformed list"), |value| Self::from_toml(&value));
        }
        if text.is_empty() {
            return Self::List(Vec::new());
        }
        Self::List(text.split(',').map(|item| Self::Text(item.trim().to_owned())).collect())
    }

    /// What kind of value this is, in words.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::List(_) => "a list",
            Self::Switch(_) => "a boolean",
            Self::Other(what) => what,
        }
    }
}

/// A value that its key accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    /// Finite.
    Number(f64),
    List(Vec<String>),
    Switch(bool),
}

impl Value {
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::List(items) => items.iter().map(String::as_str).collect(),
            Self::Switch(value) => (*value).into(),
        }
    }
}

/// As TOML writes it, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Integer(number) => write!(f, "{number}"),
            // Debug keeps the point that makes it a float, and every digit that is needed to read it back.
            Self::Number(number) => write!(f, "{number:?}"),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Switch(value) => write!(f, "{value}"),
        }
    }
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Every control character is below U+00A0. Writing to a string cannot fail.
            c if c.is_control() => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The longest text that a message repeats, in characters: enough for every value of a closed set.
const SHOWN_CHARS: usize = 48;

/// A text as a message may show it: what could hold credentials, or is long, is described and not repeated.
pub(super) fn shown(text: &str) -> String {
    let length = text.chars().count();
    if length > SHOWN_CHARS || text.contains('@') || text.contains("://") {
        return format!("a text of {length} characters");
    }
    format!("`{}`", super::problem::one_line(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back_from_the_toml_it_writes() {
        let values = [
            Value::Text("a \"b\" \\ c\n\u{7f}é".to_owned()),
            Value::Integer(-7),
            Value::Number(0.30),
            Value::Number(1e-9),
            Value::Number(5.0),
            Value::List(vec!["x".to_owned(), "y, z".to_owned()]),
            Value::Switch(true),
        ];
        for value in values {
            let text = value.to_string();
            let read = Raw::from_toml(DeValue::parse(&text).unwrap().get_ref());
            let expected = match value {
                Value::Text(text) => Raw::Text(text),
                Value::Integer(number) => Raw::Integer(number),
                Value::Number(number) => Raw::Float(number),
                Value::List(items) => Raw::List(items.into_iter().map(Raw::Text).collect()),
                Value::Switch(value) => Raw::Switch(value),
            };
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_list_is_written_with_commas_or_in_brackets() {
        let expected = Raw::List(vec![Raw::Text("a".to_owned()), Raw::Text("b c".to_owned())]);
        for text in ["a,b c", " a , b c ", r#"["a", "b c"]"#, "['a', 'b c',]"] {
            assert_eq!(Raw::list_in(text), expected, "{text}");
        }
        assert_eq!(Raw::list_in(""), Raw::List(Vec::new()));
        assert_eq!(Raw::list_in("[a"), Raw::Other("a malformed list"));
    }

    #[test]
    fn a_message_does_not_repeat_what_may_hold_credentials() {
        assert_eq!(shown("sometimes"), "`sometimes`");
        assert_eq!(shown("https://user:pw@host"), "a text of 20 characters");
        assert_eq!(shown(&"x".repeat(49)), "a text of 49 characters");
    }
}
