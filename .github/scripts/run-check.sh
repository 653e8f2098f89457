#!/usr/bin/env bash
# Runs one check and fetches its report. A real run is an execution of the Cloud Run Job, which has the rights and the secrets; a dry
# run is the same image here, which only reads.
#
# In:  PROJECT REGION RUN_JOB (the Cloud Run Job) BUCKET JOB (job.name of the configuration) OUT (a folder); WINDOW AS_OF DRY_RUN
#      (what somebody typed, may be empty); for a dry run GOOGLE_APPLICATION_CREDENTIALS
# Out: $OUT/report.json, $OUT/report.html and $OUT/report.uri (a dry run has only the first)
# Exits with the code of the run; when the run failed after its report was written, the report is there nevertheless.
set -euo pipefail

: "${PROJECT:?}" "${REGION:?}" "${RUN_JOB:?}" "${BUCKET:?}" "${JOB:?}" "${OUT:?}"
fail() { echo "::error::$1" >&2; exit 2; }

window=${WINDOW:-24h}
[[ $window =~ ^[0-9]{1,6}[smhdw]$ ]] || fail "window is a number and a unit, such as 30m, 6h, 24h or 7d"
as_of=${AS_OF:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}
[[ $as_of =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$ ]] ||
    fail "as-of is a moment in RFC 3339 to the second, such as 2026-01-31T18:00:00Z"
# In UTC, as the name of the report's folder has it. The moment is always given, so that the folder is known.
as_of=$(date -u -d "$as_of" +%Y-%m-%dT%H:%M:%SZ) || fail "as-of is no moment of the calendar"

mkdir -p "$OUT"
rm -f "$OUT/report.json" "$OUT/report.html" "$OUT/report.uri"

if [[ ${DRY_RUN:-false} == true ]]; then
    : "${GOOGLE_APPLICATION_CREDENTIALS:?}"
    image=$(gcloud run jobs describe "$RUN_JOB" --project="$PROJECT" --region="$REGION" \
        --format='value(spec.template.spec.template.spec.containers[0].image)')
    [[ -n $image ]] || fail "the job $RUN_JOB has no image"
    # The user of this machine, because only it can read the credentials.
    docker run --rm --read-only --cap-drop=ALL --user="$(id -u):$(id -g)" \
        --volume="$GOOGLE_APPLICATION_CREDENTIALS:/credentials.json:ro" \
        --env=GOOGLE_APPLICATION_CREDENTIALS=/credentials.json \
        --env=GITHUB_ACTIONS --env=GCP_PROJECT_ID="$PROJECT" --env=USE_FIRESTORE=1 --env=DRIFT_CHECK__BUCKET__URI="gs://$BUCKET" \
        "$image" --dry-run --format=json --window="$window" --as-of="$as_of" >"$OUT/report.json"
    exit
fi

# A minute for clocks that differ.
begun=$(($(date +%s) - 60))
ran=0
gcloud run jobs execute "$RUN_JOB" --project="$PROJECT" --region="$REGION" --wait \
    --args="--window=$window,--as-of=$as_of" || ran=$?

# The folder of the report ends in the window as drift-check writes it (1d is 24h), so the pattern leaves it open; of several windows
# with this end, the one that this run wrote counts.
day=${as_of%%T*}
time=${as_of##*T}
folder="gs://$BUCKET/reports/$JOB/${day//-//}/${time//:/}"
while IFS= read -r uri; do
    gcloud storage cp "$uri" "$OUT/candidate.json" --project="$PROJECT" >&2 </dev/null
    # An earlier run of the same window must not pass for this one, which may have failed before it wrote anything.
    if jq -e --argjson begun "$begun" \
        '.run.started_at | sub("\\.[0-9]+"; "") | fromdateiso8601 >= $begun' "$OUT/candidate.json" >/dev/null; then
        mv "$OUT/candidate.json" "$OUT/report.json"
        gcloud storage cp "${uri%.json}.html" "$OUT/report.html" --project="$PROJECT" >&2 </dev/null
        printf '%s\n' "${uri%.json}.html" >"$OUT/report.uri"
        break
    fi
done < <(gcloud storage ls "$folder-*/report.json" --project="$PROJECT" || true)
rm -f "$OUT/candidate.json"

if [[ ! -e $OUT/report.json ]]; then
    echo "::error::the run wrote no report; the log of the execution tells why" >&2
    exit $((ran == 0 ? 1 : ran))
fi
exit "$ran"
