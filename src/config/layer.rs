//! The layers: each sets keys over the one before it; every value remembers where it was given, and nothing wrong is passed over.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use super::keys::{Key, Node, at, dotted, remedy};
use super::kind::{accept, from_plain};
use super::problem::{Origin, Problem, one_line};
use super::value::{Raw, Value};

/// A value that counts so far.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// The line of each item, where the value is a list in a file.
    item_lines: Vec<usize>,
}

impl Entry {
    /// Where the item of a list stands.
    pub(super) fn item_origin(&self, index: usize) -> Origin {
        at_item(&self.origin, &self.item_lines, index)
    }
}

fn at_item(origin: &Origin, item_lines: &[usize], index: usize) -> Origin {
    match (origin, item_lines.get(index)) {
        (Origin::File { name, .. }, Some(line)) => Origin::File { name: name.clone(), line: *line },
        _ => origin.clone(),
    }
}

/// The layers read so far, merged.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// By dotted path.
    pub(super) entries: BTreeMap<String, Entry>,
    /// Keys whose last value was refused: what stands in `entries` is not what was meant.
    pub(super) refused: BTreeSet<String>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn problem(&mut self, origin: Origin, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem { origin, key: Some(one_line(key)), message: message.into(), hint: hint.into() });
    }

    /// Sets a key of the table.
    fn set(&mut self, key: &Key, path: &[String], raw: &Raw, origin: Origin, item_lines: Vec<usize>) {
        let name = dotted(path);
        match accept(key.kind, raw) {
            Ok(value) => {
                self.refused.remove(&name);
                self.entries.insert(name, Entry { path: path.to_vec(), value, origin, item_lines });
            }
            Err(faults) => {
                for fault in faults {
                    let origin = fault.item.map_or_else(|| origin.clone(), |item| at_item(&origin, &item_lines, item));
                    self.problem(origin, &name, fault.message, fault.hint);
                }
                self.refused.insert(name);
            }
        }
    }

    /// Sets a key from text, as the environment and the flags give it.
    pub(super) fn set_plain(&mut self, path: &[String], text: &str, origin: Origin) {
        match at(path) {
            Node::Leaf(key) => self.set(key, path, &from_plain(key.kind, text), origin, Vec::new()),
            Node::Section => self.problem(origin, &dotted(path), "is a section, not a key", remedy(path)),
            Node::Unknown => self.problem(origin, &dotted(path), "is not a known key", remedy(path)),
        }
    }

    /// Reads a TOML document; `origin` says where a line stands.
    pub(super) fn read_toml(&mut self, text: &str, origin: &dyn Fn(usize) -> Origin) {
        let lines = Lines::of(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        // A repeated key leaves a document that can be read on; after any other error, what was recovered is guesswork.
        let mut syntax = errors.iter().filter(|error| error.message() != DUPLICATE);
        if let Some(error) = syntax.next() {
            let line = lines.at(error.span().map_or(0, |span| span.start));
            let message = format!("is not TOML: {}", one_line(error.message()));
            let hint = "mend this line; the rest of the file was not read".to_owned();
            self.problems.push(Problem { origin: origin(line), key: None, message, hint });
            return;
        }
        for error in &errors {
            let span = error.span().unwrap_or_default();
            let key = text.get(span.clone()).unwrap_or_default();
            self.problem(origin(lines.at(span.start)), key, "is set a second time", "remove one of the two");
        }
        self.read_table(document.get_ref(), &[], &|offset| origin(lines.at(offset)), &lines);
    }

    fn read_table(&mut self, table: &DeTable<'_>, parent: &[String], origin: &dyn Fn(usize) -> Origin, lines: &Lines) {
        for (name, value) in table {
            let path: Vec<String> = parent.iter().cloned().chain([name.get_ref().to_string()]).collect();
            let place = origin(name.span().start);
            match (at(&path), value.get_ref()) {
                (Node::Leaf(key), DeValue::Table(_)) => {
                    self.problem(place, &dotted(&path), "is a key, not a section", super::kind::wanted(key.kind));
                    self.refused.insert(dotted(&path));
                }
                (Node::Leaf(key), value) => {
                    let items = value.as_array().map(|items| items.iter().map(|item| lines.at(item.span().start)).collect());
                    self.set(key, &path, &Raw::from_toml(value), place, items.unwrap_or_default());
                }
                (Node::Section, DeValue::Table(table)) => self.read_table(table, &path, origin, lines),
                (Node::Section, DeValue::Array(tables)) if tables.iter().all(|item| item.get_ref().is_table()) => {
                    let hint = format!("write [{0}], not [[{0}]]", one_line(&dotted(&path)));
                    self.problem(place, &dotted(&path), "is a section, not a list of sections", hint);
                }
                (Node::Section, _) => {
                    let hint = format!("write a section, [{}]", one_line(&dotted(&path)));
                    self.problem(place, &dotted(&path), "is a section, not a key", hint);
                }
                (Node::Unknown, value) => {
                    let message = if value.is_table() { "is not a known section" } else { "is not a known key" };
                    self.problem(place, &dotted(&path), message, one_line(&remedy(&path)));
                }
            }
        }
    }
}

/// What the parser says about a key that is given twice.
const DUPLICATE: &str = "duplicate key";

/// Where the lines of a text begin.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset + 1);
        Self { starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line of an offset, from 1.
    fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }
}

/// Reads one document on its own.
#[cfg(test)]
pub(super) fn read(text: &str) -> Layers {
    let mut layers = Layers::default();
    layers.read_toml(text, &|line| Origin::File { name: "x.toml".to_owned(), line });
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        read(text).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_counts_from_one_and_holds_its_line_break() {
        let lines = Lines::of("ab\n\ncd");
        assert_eq!([0, 2, 3, 4, 6, 99].map(|offset| lines.at(offset)), [1, 1, 2, 3, 3, 3]);
    }

    #[test]
    fn a_syntax_error_is_one_problem_with_its_line() {
        let found = problems("[policy]\nshare = 0.3\nalpha = = 1\n[logs\nfoo = \"hunter2\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("x.toml:3: is not TOML: "), "{found:?}");
    }

    #[test]
    fn a_repeated_key_does_not_hide_the_other_problems() {
        let found = problems("[policy]\nshare = 0.3\nshare = 0.4\nalpha = 7\n[policy]\nrule = \"x\"\n");
        let starts: Vec<&str> = found.iter().filter_map(|problem| problem.split(';').next()).collect();
        assert_eq!(
            starts,
            [
                "x.toml:3: share: is set a second time",
                "x.toml:5: policy: is set a second time",
                "x.toml:4: policy.alpha: `7` is out of range",
                "x.toml:6: policy.rule: `x` is not known",
            ]
        );
    }

    #[test]
    fn sections_and_keys_are_not_mistaken_for_each_other() {
        assert_eq!(
            problems("policy = 3\n[[logs]]\n[job.name]\n"),
            [
                "x.toml:3: job.name: is a key, not a section; write letters, digits, `.`, `_` and `-`, at most 63, the first a letter or digit",
                "x.toml:2: logs: is a section, not a list of sections; write [logs], not [[logs]]",
                "x.toml:1: policy: is a section, not a key; write a section, [policy]",
            ]
        );
    }

    #[test]
    fn each_item_of_a_list_has_its_line() {
        assert_eq!(
            problems("[features]\ninclude = [\n  \"a\",\n  3,\n  \"a\",\n]\n"),
            [
                "x.toml:4: features.include: item 2 is an integer, not a text; quote every item",
                "x.toml:5: features.include: `a` is listed twice; remove one of the two",
            ]
        );
    }
}
