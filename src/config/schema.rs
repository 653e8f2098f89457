//! The JSON Schema of a configuration file, generated from the table of keys and from `config/default.toml`.
//!
//! It says what one key can say. The checks across keys, and the wording of a problem, are `drift-check`'s alone.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Map, Value as Json, json};

use super::keys::{KEYS, ValueKind};
use super::layer::Layers;
use super::problem::Origin;

/// The schema, draft 2020-12.
pub fn schema() -> Json {
    let mut defaults = Layers::default();
    defaults.read_toml(super::DEFAULT, &|_| Origin::Default);
    let docs = docs(super::DEFAULT);
    let mut root = section();
    for key in KEYS {
        let mut leaf = of_kind(key.kind);
        if let Some(doc) = docs.get(key.path) {
            leaf.insert("description".to_owned(), json!(doc));
        }
        if let Some(entry) = defaults.entries.get(key.path) {
            leaf.insert("default".to_owned(), entry.value.to_json());
        }
        insert(&mut root, key.path, leaf);
    }
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("drift-check configuration"));
    Json::Object(root)
}

fn section() -> Map<String, Json> {
    let parts = [("type", json!("object")), ("additionalProperties", json!(false)), ("properties", json!({}))];
    parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Puts a leaf at a path, with the sections on the way; `*` is every further property.
fn insert(section_at: &mut Map<String, Json>, path: &str, leaf: Map<String, Json>) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let child = rest.map_or(leaf.clone(), |_| section());
    let place = if name == "*" {
        let further = section_at.entry("additionalProperties").or_insert(Json::Bool(false));
        if further.is_boolean() {
            *further = Json::Object(child);
        }
        Some(further)
    } else {
        let properties = section_at.get_mut("properties").and_then(Json::as_object_mut);
        properties.map(|properties| properties.entry(name).or_insert(Json::Object(child)))
    };
    if let (Some(Json::Object(next)), Some(rest)) = (place, rest) {
        insert(next, rest, leaf);
    }
}

fn of_kind(kind: ValueKind) -> Map<String, Json> {
    let texts = json!({ "type": "string", "minLength": 1 });
    let schema = match kind {
        ValueKind::Label => json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" }),
        ValueKind::Text => json!({ "type": "string" }),
        ValueKind::Path => texts,
        ValueKind::Folder => json!({ "type": "string", "pattern": "^[^/].*/$|^[^/]/$" }),
        ValueKind::BucketUri => json!({ "type": "string", "pattern": "^file:.|^gs://[a-z0-9]" }),
        ValueKind::Url => json!({ "type": "string", "pattern": "^$|^https?://[^/@ ?#][^@ ?#]*$" }),
        ValueKind::Host => json!({ "type": "string", "pattern": "^[^@/ ]*$" }),
        ValueKind::Database => json!({ "type": "string", "pattern": r"^\(default\)$|^[a-z][a-z0-9-]{2,61}[a-z0-9]$" }),
        ValueKind::Length => json!({ "type": "string", "pattern": "^0*[1-9][0-9]*[smhdw]$" }),
        ValueKind::OptionalLength => json!({ "type": "string", "pattern": "^$|^0*[1-9][0-9]*[smhdw]$" }),
        ValueKind::LengthOrZero => json!({ "type": "string", "pattern": "^[0-9]+[smhdw]$" }),
        ValueKind::DatePattern => {
            json!({ "type": "string", "pattern": "^$|^[^%]*%Y[^%]*(%m[^%]*(%d[^%]*(%H[^%]*)?)?)?$" })
        }
        ValueKind::Number(low, high) => return number(low, high),
        ValueKind::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        ValueKind::Choice(of) => json!({ "enum": of }),
        ValueKind::Features => json!({ "oneOf": [
            { "const": "auto" },
            { "type": "array", "items": texts, "minItems": 1, "uniqueItems": true },
        ] }),
        ValueKind::Subset(of) => json!({ "type": "array", "items": { "enum": of }, "uniqueItems": true }),
        ValueKind::Texts => json!({ "type": "array", "items": texts, "uniqueItems": true }),
        ValueKind::Switch => json!({ "type": "boolean" }),
        ValueKind::Secret => json!({ "type": "string", "pattern": "^$|^env:[A-Za-z_][A-Za-z0-9_]*$|^file:/.*[^/]$" }),
    };
    match schema {
        Json::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn number(low: Bound<f64>, high: Bound<f64>) -> Map<String, Json> {
    let bound = |bound: Bound<f64>, included: &str, excluded: &str| match bound {
        Bound::Included(value) => Some((included.to_owned(), json!(value))),
        Bound::Excluded(value) => Some((excluded.to_owned(), json!(value))),
        Bound::Unbounded => None,
    };
    let bounds = [bound(low, "minimum", "exclusiveMinimum"), bound(high, "maximum", "exclusiveMaximum")];
    [("type".to_owned(), json!("number"))].into_iter().chain(bounds.into_iter().flatten()).collect()
}

/// What `config/default.toml` says about each key: the comment right above it. Keys without a default stand there as `#key = …`,
/// under `#[section]`; `NAME` is any name.
pub(super) fn docs(text: &str) -> BTreeMap<String, String> {
    let mut docs = BTreeMap::new();
    let mut section = String::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(prose) = line.strip_prefix("# ") {
            comment.push(prose.trim());
            continue;
        }
        let code = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = code.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = name.replace(".NAME", ".*");
        } else if let Some((name, _)) = code.split_once(" = ")
            && !comment.is_empty()
        {
            docs.insert(format!("{section}.{name}"), comment.join(" "));
        }
        comment.clear();
    }
    docs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_nothing_else_is() {
        let documented: Vec<String> = docs(super::super::DEFAULT).into_keys().collect();
        let mut known: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        known.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn every_key_has_a_valid_default_except_what_is_per_feature() {
        let defaults = super::super::layer::read(super::super::DEFAULT);
        assert_eq!(defaults.problems, []);
        let with_default: Vec<&String> = defaults.entries.keys().collect();
        let mut known: Vec<&str> = KEYS.iter().map(|key| key.path).filter(|path| !path.contains('*')).collect();
        known.sort_unstable();
        assert_eq!(with_default, known);
    }

    #[test]
    fn the_defaults_stand_in_the_order_of_the_table() {
        let place = |path: &str| {
            let (section, name) = path.rsplit_once('.').unwrap();
            let from = super::super::DEFAULT.find(&format!("[{}]\n", section.replace('*', "NAME"))).unwrap();
            from + super::super::DEFAULT[from..].find(&format!("{name} = ")).unwrap()
        };
        assert!(KEYS.iter().map(|key| place(key.path)).is_sorted());
    }
}
