#!/usr/bin/env bash
# Keeps at most one open issue for each job and environment: opened when the verdict is drift, its text kept current, a comment when it
# worsens, closed when a later window is stable. Inconclusive and no-data change nothing: they are neither drift nor its end.
#
# In: REPORT (report.json), GH_TOKEN, GH_REPO; RUN_URL and REPORT_URI for its text
set -euo pipefail

: "${REPORT:?}" "${GH_REPO:?}"
here=$(dirname "$0")
label=data-drift

value() { jq -er "$1" "$REPORT"; }
verdict=$(value .decision.verdict)
job=$(value .run.job)
environment=$(value .run.environment)
share=$(value .decision.share)
# Without a window, the moment of the run tells which report is later.
end=$(value '.window.end // .run.started_at')
[[ $job =~ ^[A-Za-z0-9._-]+$ && $environment =~ ^[A-Za-z0-9._-]+$ ]] || { echo "::error::names that no configuration can hold" >&2; exit 1; }

# What the issue remembers: hidden in its first line, written by this script only.
marker="<!-- drift-check job=$job environment=$environment "
open=$(gh issue list --repo "$GH_REPO" --state open --label "$label" --limit 200 --json number,body |
    jq -c --arg marker "$marker" '[.[] | select(.body | startswith($marker))] | min_by(.number)')
number=null known_end='' known_share=0
if [[ $open != null ]]; then
    number=$(jq -r .number <<<"$open")
    state=$(jq -r '.body | split("\n")[0]' <<<"$open")
    [[ $state =~ \ end=([0-9T:.Z+-]+)\  ]] && known_end=${BASH_REMATCH[1]}
    [[ $state =~ \ share=([0-9.eE+-]+)\  ]] && known_share=${BASH_REMATCH[1]}
fi

# A replay of an earlier window does not undo what a later one found. Both are UTC in RFC 3339, which sorts as text to the second.
if [[ -n $known_end && ${end:0:19} < ${known_end:0:19} ]]; then
    echo "issue #$number tells of a later window and was left as it is"
    exit
fi

body=$(mktemp)
trap 'rm -f "$body"' EXIT
{
    printf '%send=%s share=%s -->\n\n' "$marker" "$end" "$share"
    jq -r -f "$here/report-summary.jq" "$REPORT"
    printf '\n'
    [[ -z ${REPORT_URI:-} ]] || printf -- '- Report: <https://storage.cloud.google.com/%s>\n' "${REPORT_URI#gs://}"
    [[ -z ${RUN_URL:-} ]] || printf -- '- Run: <%s>\n' "$RUN_URL"
    printf '\nThis text is that of the newest window. The issue is closed when a window is stable again.\n'
} >"$body"
# GitHub takes 65,536 characters.
if [[ $(wc -m <"$body") -gt 60000 ]]; then
    # Not `head -c`, which could cut a character in two.
    jq -Rrs '.[:59000] + "\n\n… the rest is in the report.\n"' "$body" >"$body.cut" && mv "$body.cut" "$body"
fi

case $verdict:$number in
drift:null)
    gh label create "$label" --repo "$GH_REPO" --color B60205 --description "The inputs of a model drifted" --force >/dev/null
    gh issue create --repo "$GH_REPO" --label "$label" --title "Data drift: $job ($environment)" --body-file "$body"
    ;;
drift:*)
    gh issue edit "$number" --repo "$GH_REPO" --body-file "$body" >/dev/null
    if jq -en --argjson now "$share" --argjson before "$known_share" '$now > $before' >/dev/null; then
        gh issue comment "$number" --repo "$GH_REPO" --body "Worsened in the window to $end: the share of drifted features is $share, after $known_share."
    else
        echo "issue #$number was brought up to date"
    fi
    ;;
stable:null) echo "no drift, and no open issue" ;;
stable:*) gh issue close "$number" --repo "$GH_REPO" --comment "Resolved: the window to $end is stable, with a share of $share." ;;
inconclusive:* | no-data:*) echo "the verdict is $verdict: nothing is opened and nothing is closed" ;;
*)
    echo "::error::unknown verdict" >&2
    exit 1
    ;;
esac
