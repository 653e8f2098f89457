#!/usr/bin/env bash
# Builds the static binary of a release: one file that runs on every Linux of this architecture.
#
# In:  TAG (vX.Y.Z), OUT (a folder)
# Out: $OUT/drift-check-TAG-x86_64-linux.tar.gz, $OUT/drift-check-TAG-x86_64-linux.cdx.json (what is linked into it) and $OUT/SHA256SUMS
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${TAG:?}" "${OUT:?}"
target=x86_64-unknown-linux-musl
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
[[ $TAG == "v$version" ]] || { echo "::error::the tag is $TAG, and Cargo.toml says $version" >&2; exit 1; }

# musl-gcc, for SQLite and zstd; protoc with Google's own definitions, for the client of Spark Connect.
sudo apt-get update -qq
sudo apt-get install -y -qq --no-install-recommends musl-tools protobuf-compiler libprotobuf-dev
rustup target add "$target"
cargo build --release --locked --features spark --bin drift-check --target "$target"

binary=${CARGO_TARGET_DIR:-target}/$target/release/drift-check
if ldd "$binary" 2>/dev/null | grep -q '=>'; then
    echo "::error::the binary is not static" >&2
    exit 1
fi
verdict=$("$binary" --config config/local.toml --dry-run --format=json --as-of=2026-02-01T00:00:00Z | jq -r .decision.verdict)
[[ $verdict == drift ]] || { echo "::error::the fixtures' drift day came out as '$verdict'" >&2; exit 1; }

name=drift-check-$TAG-x86_64-linux
mkdir -p "$OUT/$name"
cp "$binary" LICENSE README.md CHANGELOG.md "$OUT/$name"
cp -r config "$OUT/$name"
# From the binary itself, so that they are of its commands and options.
mkdir "$OUT/$name/completions"
"$binary" completions bash >"$OUT/$name/completions/drift-check.bash"
"$binary" completions zsh >"$OUT/$name/completions/_drift-check"
"$binary" completions fish >"$OUT/$name/completions/drift-check.fish"
"$binary" completions elvish >"$OUT/$name/completions/drift-check.elv"
"$binary" completions powershell >"$OUT/$name/completions/drift-check.ps1"
"$binary" completions man >"$OUT/$name/drift-check.1"
# The same bytes for the same binary: no names, no times of this machine.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -C "$OUT" -cf - "$name" | gzip -n >"$OUT/$name.tar.gz"
rm -r "${OUT:?}/$name"
OUT=$OUT/$name.cdx.json TARGET=$target .github/scripts/sbom.sh
(cd "$OUT" && sha256sum "$name.tar.gz" "$name.cdx.json" >SHA256SUMS)
stat --format='%n: %s bytes' "$binary" "$OUT/$name.tar.gz"
