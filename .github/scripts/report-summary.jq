# A report as GitHub-flavoured markdown: verdict, what changed, findings. It shows numbers of the report and computes none.
#
# jq -r -f report-summary.jq report.json

# Text that renders as itself and nothing else: names and messages come from data.
def text: gsub("[\\x00-\\x1f\\x7f]"; " ") | gsub("(?<c>[<>&|`*\\[\\]\\\\~#@!$_:])"; "&#\(.c | explode[0]);");
def percent: . * 1000 | round / 10 | "\(.) %";
def fixed: if . == null then "–" else . * 1000 | round / 1000 | tostring end;
# Never 0, which a p-value is not.
def probability: if . == null then "–" elif . < 0.001 then "&lt;0.001" else fixed end;
def words: {"drift": "◆ Drift", "inconclusive": "? Inconclusive", "stable": "✓ Stable", "no-data": "○ No data"}[.] // "Unknown verdict";

def feature:
    "| \(.name | text) | \(.verdict) | \(.reason | text) | \(.psi.adjusted | fixed) | \(.ks.statistic | fixed) | \(.q_value | probability) |";
def features: ["| feature | verdict | why | adjusted PSI | KS | q |", "| :-- | :-- | :-- | --: | --: | --: |"] + map(feature) | join("\n");

if .schema_version != 1 then error("report.json has schema_version \(.schema_version), which is not known here") else . end
| (.features | map(select(.verdict == "drift" or .verdict == "broken" or .verdict == "warning"))) as $changed
| [
    "## \(.decision.verdict | words): \(.run.job | text) (\(.run.environment | text))",
    (.decision.conclusion | text),
    "- Window: \(.window.start // "all rows" | text) to \(.window.end // "all rows" | text)\n"
        + "- Share: \(.decision.share | percent) of \(.decision.configured) features; the limit is \(.decision.threshold | percent)\n"
        + "- Rows: \(.current.rows) against \(.reference.rows) of the reference; rejected: \(.current.rows_rejected)",
    (if $changed == [] then empty else $changed[:100] | features end),
    (if ($changed | length) > 100 then "… and \(($changed | length) - 100) more features" else empty end),
    (if .findings == [] then empty else "### Findings\n\n" + ([.findings[] | "- **\(.severity)** \(.code | text): \(.message | text)"] | join("\n")) end),
    "Reproduce with <code>\(.run.command | text)</code>"
] | join("\n\n")
