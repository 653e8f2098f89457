//! Slack's mark-up: how a text from outside stands in it without becoming mark-up itself, and within a limit. Pure.

use super::super::words;
use crate::report::printable;

/// A text of somebody else's. `&`, `<` and `>` are written as Slack asks, so that no mention and no link can come of them; what would
/// format is replaced by a sign that looks the same: Slack knows no way to write it.
pub(super) fn escaped(text: &str, limit: usize) -> String {
    let text = printable(text);
    let mut parts = Vec::new();
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        parts.push(match c {
            '*' => "∗".to_owned(),
            '~' => "∼".to_owned(),
            '`' => "ˋ".to_owned(),
            // Within a word it formats nothing, and names are full of it.
            '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => "ˍ".to_owned(),
            c => entity(c),
        });
        before = c;
    }
    joined(&parts, limit)
}

/// A name, byte for byte as far as Slack can, in a code span: nothing in it is formatted.
pub(super) fn code(text: &str, limit: usize) -> String {
    let parts: Vec<String> = printable(text).chars().map(|c| if c == '`' { "ˋ".to_owned() } else { entity(c) }).collect();
    format!("`{}`", joined(&parts, limit.saturating_sub(2)))
}

/// A block of code on lines of its own.
pub(super) fn code_block(text: &str, limit: usize) -> String {
    let span = code(text, limit.saturating_sub(4));
    format!("``{span}``")
}

/// A link, where the address is one that can be followed and fits; else the text of it.
pub(super) fn link(label: &str, target: &str, limit: usize) -> String {
    let address: String = target.chars().map(entity).collect();
    let link = format!("<{address}|{label}>");
    if words::is_web(target) && words::units(&link) <= limit {
        return link;
    }
    format!("{label}: {}", code(target, limit.saturating_sub(words::units(label) + 2)))
}

fn entity(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c => c.to_string(),
    }
}

/// As many whole parts as fit: no entity is cut.
fn joined(parts: &[String], limit: usize) -> String {
    let whole: usize = parts.iter().map(|part| words::units(part)).sum();
    if whole <= limit {
        return parts.concat();
    }
    let mut room = limit.saturating_sub(1);
    let fits = |part: &&String| {
        let left = room.checked_sub(words::units(part));
        room = left.unwrap_or(0);
        left.is_some()
    };
    let mut text: String = parts.iter().take_while(fits).map(String::as_str).collect();
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_mark_up() {
        assert_eq!(escaped("<!channel> & <@U1>", 100), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(escaped("*a* _b_ ~c~ `d` major_axis_length", 100), "∗a∗ ˍbˍ ∼c∼ ˋdˋ major_axis_length");
        assert_eq!(code("a`b`", 100), "`aˋbˋ`");
        assert_eq!(code("", 100), "`(no name)`");
        assert_eq!(code_block("a ``` b", 100), "```a ˋˋˋ b```");
        assert_eq!(link("Report", "https://a.example/?x=1&y=2", 100), "<https://a.example/?x=1&amp;y=2|Report>");
        assert_eq!(link("Report", "https://a.example/|<!channel>", 100), "Report: `https://a.example/|&lt;!channel&gt;`");
        assert_eq!(link("Report", "/data/report.html", 100), "Report: `/data/report.html`");
    }

    #[test]
    fn an_entity_is_never_cut() {
        assert_eq!(escaped("a&&", 7), "a&amp;…");
        assert_eq!(escaped("a&&", 6), "a…");
        assert_eq!(escaped("a&&", 11), "a&amp;&amp;");
    }
}
