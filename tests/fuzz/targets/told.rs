//! What people are told: whatever a name holds, it stays text.

use drift_check::notify::slack;
use drift_check::report::html;
use serde_json::Value;

use crate::{sample_notification, sample_report};

/// What Slack's mark-up may hold: entities, and links to the web; never a mention.
pub fn slack(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let notification = sample_notification::told(&text);
    for may_be_repeated in [false, true] {
        let payload = slack::payload(&notification, may_be_repeated);
        assert_eq!(serde_json::from_str::<Value>(&payload.to_string()).unwrap(), payload);
        check_markup(payload["text"].as_str().unwrap());
        for block in payload["blocks"].as_array().unwrap() {
            each_object(block, &mut |object| {
                let text = object["text"].as_str().unwrap_or_default();
                if object["type"] == "mrkdwn" {
                    assert_eq!(object["verbatim"], true);
                    check_markup(text);
                }
                assert!(text.encode_utf16().count() <= 3_000, "{text}");
            });
        }
    }
}

fn each_object(value: &Value, take: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            // A text has a type and a text; whatever holds it is looked into.
            if object.contains_key("type") && object.get("text").is_some_and(Value::is_string) {
                take(object);
            }
            object.values().for_each(|value| each_object(value, take));
        }
        Value::Array(values) => values.iter().for_each(|value| each_object(value, take)),
        _ => {}
    }
}

fn check_markup(text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '&']) {
        rest = &rest[at..];
        let length = if rest.starts_with('&') {
            ["&amp;", "&lt;", "&gt;"].iter().find(|entity| rest.starts_with(**entity)).map(|entity| entity.len())
        } else {
            link_length(rest)
        };
        rest = &rest[length.unwrap_or_else(|| panic!("mark-up at {rest:?} of {text:?}"))..];
    }
}

/// Of `<http…|label>`, with nothing else of Slack's in it.
fn link_length(text: &str) -> Option<usize> {
    let end = text.find('>')?;
    let (address, label) = text.get(1..end)?.split_once('|')?;
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '<' | '|' | '`');
    (text.starts_with('<') && is_web && address.chars().all(is_plain) && label.chars().all(char::is_alphanumeric))
        .then_some(end + 1)
}

/// The page has the tags and attributes that it has with harmless names, and holds no address but its own.
pub fn html(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let page = html::render(&sample_report::day_of([&text; 6]));
    let harmless: String = text.chars().map(|_| 'x').collect();
    let expected = html::render(&sample_report::day_of([&harmless; 6]));
    assert_eq!(skeleton(&page), skeleton(&expected));
}

/// The tags with the names of their attributes, as a browser finds them.
fn skeleton(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        // A browser takes `<` before anything else for text; a page of ours has none.
        let name: String = rest.chars().take_while(|c| !c.is_whitespace() && !matches!(c, '>' | '<')).collect();
        let mut tag = name.clone();
        rest = &rest[name.len()..];
        loop {
            rest = rest.trim_start();
            if rest.is_empty() || rest.starts_with('>') {
                break;
            }
            let attribute: String = rest.chars().take_while(|c| !c.is_whitespace() && !matches!(c, '>' | '=')).collect();
            rest = rest[attribute.len()..].trim_start();
            tag.push(' ');
            tag.push_str(&attribute);
            if let Some(value) = rest.strip_prefix('=') {
                let value = value.trim_start();
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'')).unwrap_or_else(|| panic!("no quote: {tag}"));
                let end = value[1..].find(quote).unwrap_or_else(|| panic!("a value without end: {tag}"));
                rest = &value[end + 2..];
            }
        }
        found.push(tag);
    }
    found
}
