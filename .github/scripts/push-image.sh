#!/usr/bin/env bash
# Pushes a built image and says under which digest it can be deployed: a tag can be moved, a digest cannot.
#
# In:  REPOSITORY (REGION-docker.pkg.dev/PROJECT/REGISTRY/NAME), TAG (vX.Y.Z), GITHUB_OUTPUT
# Out: the outputs `image` (REPOSITORY@sha256:…) and `digest` (sha256:…)
set -euo pipefail

: "${REPOSITORY:?}" "${TAG:?}" "${GITHUB_OUTPUT:?}"
gcloud auth configure-docker "${REPOSITORY%%/*}" --quiet
docker push "$REPOSITORY:${TAG#v}"
image=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$REPOSITORY:${TAG#v}" | grep -m 1 -F "$REPOSITORY@sha256:" || true)
[[ $image =~ @sha256:[0-9a-f]{64}$ ]] || { echo "::error::the registry gave no digest" >&2; exit 1; }
printf 'image=%s\ndigest=%s\n' "$image" "${image#*@}" >>"$GITHUB_OUTPUT"
