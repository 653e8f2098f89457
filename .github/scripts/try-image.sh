#!/usr/bin/env bash
# Starts a built image the way that Cloud Run does, and more strictly: not root, nothing writable, no network, 512 MiB.
#
# In: IMAGE
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${IMAGE:?}"
strict=(--rm --read-only --cap-drop=ALL --security-opt=no-new-privileges --network=none --memory=512m)

docker run "${strict[@]}" "$IMAGE" --version
docker run "${strict[@]}" "$IMAGE" config >/dev/null
echo "the configuration of the image is valid"

verdict=$(docker run "${strict[@]}" --volume="$PWD/fixtures/bucket:/data:ro" \
    --env=DRIFT_CHECK__BUCKET__URI=file:/data --env=DRIFT_CHECK__STORE__KIND=sqlite \
    "$IMAGE" --dry-run --format=json --window=24h --as-of=2026-02-01T00:00:00Z | jq -r .decision.verdict)
[[ $verdict == drift ]] || { echo "::error::the fixtures' drift day came out as '$verdict'" >&2; exit 1; }
echo "the fixtures' drift day drifts"

user=$(docker image inspect --format '{{.Config.User}}' "$IMAGE")
[[ $user == 65532:65532 ]] || { echo "::error::the image runs as '$user'" >&2; exit 1; }
if docker run "${strict[@]}" --entrypoint=/bin/sh "$IMAGE" -c true 2>/dev/null; then
    echo "::error::the image has a shell" >&2
    exit 1
fi
size=$(docker image inspect --format '{{.Size}}' "$IMAGE")
echo "user $user, no shell, $((size / 1000000)) MB"
[[ $size -lt 150000000 ]] || { echo "::error::the image is over 150 MB" >&2; exit 1; }
