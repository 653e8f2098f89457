//! The file of known drifts: what people know of the past, as TOML or CSV. Every mistake is told with its line, its key and the remedy.

use chrono::{DateTime, NaiveDate, Utc};
use toml::de::{DeTable, DeValue};

use crate::decision::known_drift::KnownInterval;
use crate::decision::label::{Label, Truth, contradiction};
use crate::feature::FeatureName;

/// The keys of an interval; in CSV, the columns.
const KEYS: [&str; 5] = ["start", "end", "label", "feature", "reason"];

const SHAPE: &str = "an interval has `start`, `end` and, where wanted, `label` (drift or no-drift), `feature` and `reason`";

/// An interval before its texts are understood.
#[derive(Debug, Default)]
struct Raw {
    line: usize,
    /// In the order of [`KEYS`], each with its line.
    values: [Option<(String, usize)>; 5],
}

/// Reads a file; CSV where its name ends so, else TOML.
///
/// # Errors
/// All mistakes of the file, one a line.
pub fn read(path: &str, text: &str) -> Result<Vec<KnownInterval>, String> {
    let is_csv = path.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
    let at = |(line, message): (usize, String)| format!("{path}:{line}: {message}");
    let raw = if is_csv { from_csv(text) } else { from_toml(text) }.map_err(at)?;
    let (mut intervals, mut lines, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for raw in raw {
        match understood(&raw) {
            Ok(interval) => {
                intervals.push(interval);
                lines.push(raw.line);
            }
            Err(found) => problems.extend(found.into_iter().map(at)),
        }
    }
    if problems.is_empty()
        && let Some((first, second)) = contradiction(&intervals.iter().map(|interval| &interval.label))
        && let (Some(first), Some(second)) = (lines.get(first), lines.get(second))
    {
        let message = format!(
            "this interval contradicts the one of line {first}: one says drift and the other no-drift of the same time; \
             correct one of them"
        );
        problems.push(at((*second, message)));
    }
    if problems.is_empty() { Ok(intervals) } else { Err(problems.join("\n")) }
}

fn position(key: &str) -> Option<usize> {
    KEYS.iter().position(|known| *known == key)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn from_toml(text: &str) -> Result<Vec<Raw>, (usize, String)> {
    let document = DeTable::parse(text).map_err(|error| {
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        (line_of(text, error.span().map_or(0, |span| span.start)), format!("is not TOML: {message}; mend this line"))
    })?;
    let mut found = Vec::new();
    for (name, value) in document.get_ref() {
        let line = line_of(text, name.span().start);
        let (DeValue::Array(items), "interval") = (value.get_ref(), name.get_ref().as_ref()) else {
            return Err((line, format!("`{}` is not known: write [[interval]]; {SHAPE}", name.get_ref())));
        };
        for item in items {
            let DeValue::Table(table) = item.get_ref() else {
                return Err((line_of(text, item.span().start), format!("write [[interval]]; {SHAPE}")));
            };
            found.push(from_table(text, line_of(text, item.span().start), table)?);
        }
    }
    Ok(found)
}

fn from_table(text: &str, line: usize, table: &DeTable<'_>) -> Result<Raw, (usize, String)> {
    let mut raw = Raw { line, ..Raw::default() };
    for (name, value) in table {
        let at = line_of(text, name.span().start);
        let slot = position(name.get_ref()).and_then(|key| raw.values.get_mut(key));
        let slot = slot.ok_or_else(|| (at, format!("`{}` is not a known key: {SHAPE}", name.get_ref())))?;
        let told = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            _ => return Err((at, format!("`{}` is neither a text nor a date: put it in quotes", name.get_ref()))),
        };
        *slot = Some((told, at));
    }
    Ok(raw)
}

fn from_csv(text: &str) -> Result<Vec<Raw>, (usize, String)> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let broken = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        (usize::try_from(line).unwrap_or(usize::MAX), "has another number of fields than the first line: mend this line".to_owned())
    };
    let mut columns = Vec::new();
    for name in reader.headers().map_err(|error| broken(&error))? {
        columns.push(position(name).ok_or_else(|| (1, format!("`{name}` is not a known column: {SHAPE}")))?);
    }
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = usize::try_from(record.position().map_or(1, csv::Position::line)).unwrap_or(usize::MAX);
        let mut raw = Raw { line, ..Raw::default() };
        for (key, value) in columns.iter().zip(&record).filter(|(_, value)| !value.is_empty()) {
            if let Some(slot) = raw.values.get_mut(*key) {
                *slot = Some((value.to_owned(), line));
            }
        }
        found.push(raw);
    }
    Ok(found)
}

fn understood(raw: &Raw) -> Result<KnownInterval, Vec<(usize, String)>> {
    let mut problems = Vec::new();
    let [start, end, label, feature, reason] = &raw.values;
    let mut moment = |key: &str, value: &Option<(String, usize)>| match value {
        None => {
            problems.push((raw.line, format!("`{key}` is missing: {SHAPE}")));
            None
        }
        Some((text, line)) => {
            let found = moment_of(text);
            if found.is_none() {
                problems.push((*line, format!("`{key}` = `{text}` is no moment: {MOMENT}")));
            }
            found
        }
    };
    let (from, to) = (moment("start", start), moment("end", end));
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        let message = format!(
            "the interval is empty: `start` {from} is not before `end` {to}, which is not part of it; \
             swap them, or move `end`"
        );
        problems.push((raw.line, message));
    }
    let known = match label {
        None => Some(Truth::Drift),
        Some((text, line)) => {
            let known = [("drift", Truth::Drift), ("no-drift", Truth::NoDrift)].into_iter().find(|(name, _)| name == text);
            if known.is_none() {
                problems.push((*line, format!("`label` = `{text}` is not known: write drift or no-drift")));
            }
            known.map(|(_, label)| label)
        }
    };
    let text = |value: &Option<(String, usize)>| value.as_ref().map(|(text, _)| text.clone());
    match (from, to, known) {
        (Some(from), Some(to), Some(truth)) if problems.is_empty() => {
            let label = Label { truth, from, to, feature: text(feature).map(FeatureName::new) };
            Ok(KnownInterval { label, reason: text(reason).unwrap_or_default() })
        }
        _ => Err(problems),
    }
}

/// What people write a moment as.
pub const MOMENT: &str = "write a date, such as 2026-01-31, or date, time and offset, such as 2026-01-31T18:00:00Z";

/// A date, which is its midnight in UTC, or a moment in RFC 3339.
pub fn moment_of(text: &str) -> Option<DateTime<Utc>> {
    let midnight = text.parse::<NaiveDate>().ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    let moment = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
    midnight.map(|midnight| midnight.and_utc()).or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_say_the_same() {
        let toml = "[[interval]]\nstart = 2026-01-20\nend = \"2026-01-22T06:00:00Z\"\nreason = \"new scanner\"\n\n[[interval]]\n\
            start = 2026-01-05T00:00:00+01:00\nend = 2026-01-06\nlabel = \"no-drift\"\nfeature = \"sphericity\"\n";
        let csv = "start,end,label,feature,reason\n2026-01-20,2026-01-22T06:00:00Z,,,new scanner\n\
            2026-01-05T00:00:00+01:00,2026-01-06,no-drift,sphericity,\n";
        let found = read("known.toml", toml).unwrap();
        assert_eq!(found, read("known.CSV", csv).unwrap());
        assert_eq!(found[0].label.from.to_rfc3339(), "2026-01-20T00:00:00+00:00");
        let [first, second] = [&found[0].label, &found[1].label];
        assert_eq!((first.truth, first.feature.as_ref(), found[0].reason.as_str()), (Truth::Drift, None, "new scanner"));
        assert_eq!(second.from.to_rfc3339(), "2026-01-04T23:00:00+00:00");
        assert_eq!((second.truth, second.feature.as_ref().map(FeatureName::as_str)), (Truth::NoDrift, Some("sphericity")));
    }

    #[test]
    fn every_mistake_has_its_line_its_key_and_its_remedy() {
        let why = |path: &str, text: &str| read(path, text).unwrap_err();
        assert!(why("k.toml", "[[interval]\n").starts_with("k.toml:1: is not TOML"));
        assert!(why("k.toml", "[[intervals]]\n").contains("k.toml:1: `intervals` is not known: write [[interval]]"));
        assert!(
            why("k.toml", "[[interval]]\nstart = 2026-01-01\nuntil = 2026-01-02\n")
                .contains("k.toml:3: `until` is not a known key")
        );
        assert!(why("k.toml", "[[interval]]\nstart = 2026-01-01\n").contains("k.toml:1: `end` is missing"));
        assert!(why("k.toml", "[[interval]]\nstart = 1\n").contains("k.toml:2: `start` is neither a text nor a date"));
        let both = why("k.csv", "start,end,label\n2026-01-02,2026-01-02,\nsoon,2026-01-02,maybe\n");
        let lines: Vec<&str> = both.lines().collect();
        assert!(lines[0].starts_with("k.csv:2: the interval is empty"), "{both}");
        assert!(lines[1].starts_with("k.csv:3: `start` = `soon` is no moment: write a date"), "{both}");
        assert!(lines[2].starts_with("k.csv:3: `label` = `maybe` is not known: write drift or no-drift"), "{both}");
        assert!(why("k.csv", "start,end\n2026-01-02\n").starts_with("k.csv:2: has another number of fields"));
        assert!(why("k.csv", "begin,end\n").contains("k.csv:1: `begin` is not a known column"));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let text = "start,end,label\n2026-01-01,2026-01-05,drift\n2026-01-04,2026-01-06,no-drift\n";
        let why = read("k.csv", text).unwrap_err();
        assert!(why.starts_with("k.csv:3: this interval contradicts the one of line 2"), "{why}");
        assert_eq!(read("k.csv", &text.replace("2026-01-04", "2026-01-05")).unwrap().len(), 2);
        assert_eq!(read("k.csv", "start,end\n").unwrap(), []);
    }
}
