#!/usr/bin/env bash
# Writes the list of what is linked into the binary of a release (CycloneDX 1.5, JSON): every crate of the normal dependencies for the
# target, with version, licence, package URL and checksum, and which depends on which. The same sources give the same bytes.
#
# In:  OUT (a file), TARGET (a target triple; x86_64-unknown-linux-musl)
# Out: $OUT
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${OUT:?}"
target=${TARGET:-x86_64-unknown-linux-musl}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo metadata --locked --features spark --format-version 1 --filter-platform "$target" >"$work/metadata.json"
# What is built with which features only this knows: the metadata count what tests need among it. `name version`, a line each.
cargo tree --locked --features spark --edges normal --target "$target" --prefix none --no-dedupe --format '{p}' |
    sed -nE 's/^([^ ]+) v([^ ]+).*$/\1 \2/p' | sort -u >"$work/linked"
# The checksums of Cargo.lock: `name version sha256`, a line each.
awk -F '"' '/^name = /{name=$2} /^version = /{version=$2} /^checksum = /{print name, version, $2}' Cargo.lock >"$work/checksums"

jq -n --slurpfile metadata "$work/metadata.json" --rawfile checksums "$work/checksums" --rawfile linked "$work/linked" --arg target "$target" '
    $metadata[0] as $all
    | ($all.packages | map({key: .id, value: .}) | from_entries) as $packages
    | ($checksums | split("\n") | map(select(. != "") | split(" ") | {key: "\(.[0]) \(.[1])", value: .[2]}) | from_entries) as $checksum
    | ($linked | split("\n") | map({key: ., value: true}) | from_entries) as $is_linked
    # What is linked, or expanded into what is linked: neither tests nor builds.
    | ($all.resolve.nodes | map({key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | .pkg
        | select($packages[.] | $is_linked["\(.name) \(.version)"])] | unique}) | from_entries) as $needs
    | def reached: . as $known | ([.[], (.[] | $needs[.][])] | unique) as $next | if $next == $known then $known else ($next | reached) end;
    def purl: "pkg:cargo/\(.name)@\(.version | gsub("\\+"; "%2B"))";
    def licences:
        if (.license // "") != "" then [{expression: (.license | gsub("/"; " OR "))}] else [{license: {name: "see \(.license_file)"}}] end;
    def component:
        {type: "library", "bom-ref": purl, name, version, purl: purl, licenses: licences}
        + (if .description then {description: (.description | gsub("\\s+"; " ") | ltrimstr(" ") | rtrimstr(" "))} else {} end)
        + ($checksum["\(.name) \(.version)"] as $sum | if $sum then {hashes: [{alg: "SHA-256", content: $sum}]} else {} end)
        + (if .repository then {externalReferences: [{type: "vcs", url: .repository}]} else {} end);
    $packages[$all.resolve.root] as $root
    | ([$all.resolve.root] | reached) as $linked
    | {
        bomFormat: "CycloneDX",
        specVersion: "1.5",
        version: 1,
        metadata: {
            component: ($root | component | .type = "application" | del(.externalReferences)),
            properties: [{name: "cargo:target", value: $target}]
        },
        components: [$linked[] | select(. != $all.resolve.root) | $packages[.] | component] | sort_by(."bom-ref"),
        dependencies: [$linked[] | {ref: ($packages[.] | purl), dependsOn: [$needs[.][] | $packages[.] | purl] | sort}] | sort_by(.ref)
    }' >"$work/sbom.json"

# A crate without a licence or from elsewhere than the registry would be listed without what a list is for; one that is not reached, not at all.
jq -e --argjson linked "$(wc -l <"$work/linked")" '(.components | length) + 1 == $linked and $linked > 100 and all(.components[]; (.licenses | length) == 1 and (.hashes | length) == 1)' "$work/sbom.json" >/dev/null || {
    echo "::error::a crate is missing, or has no licence or no checksum" >&2
    exit 1
}
mkdir -p "$(dirname "$OUT")"
mv "$work/sbom.json" "$OUT"
