# The image of the Cloud Run Job: one binary, its production configuration and the C library, nothing else. No shell, no package
# manager, not root, and nothing is written to the file system, which may be read-only.
#
#   docker build --tag drift-check .
#   docker run --rm --read-only drift-check --version
#
# The binary is 45 MB, stripped; the base is said to be about 25 MB. Debian 12 on both sides: the same C library.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# For the client of Spark Connect: the compiler and Google's own definitions. Debian keeps one version of them in a release.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends protobuf-compiler libprotobuf-dev && rm -rf /var/lib/apt/lists/*

# The dependencies, in a layer of their own that lasts until Cargo.lock changes: every target that Cargo.toml names, left empty.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir -p benches src fixtures tests/simulation \
    && touch src/lib.rs tests/integration.rs \
    && for file in src/main.rs benches/counting.rs fixtures/generate.rs tests/simulation/calibrate.rs; do echo 'fn main() {}' >"$file"; done \
    && cargo build --release --locked --features spark --bin drift-check

# The program. COPY keeps the times of the files, which may be older than the empty build: without `touch` cargo would keep that one.
COPY askama.toml ./
COPY config config
COPY src src
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked --features spark --bin drift-check

# libc, libm, libgcc and the certificates of the public authorities; `nonroot` is user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot

ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="drift-check" \
      org.opencontainers.image.description="Batch drift detection for tabular models" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /src/target/release/drift-check /usr/local/bin/drift-check
COPY config/production.toml /etc/drift-check/config.toml

USER 65532:65532

# Arguments of a run follow the configuration: `--window 6h`, `--dry-run`, `profile`. What differs between installations is set with
# DRIFT_CHECK__SECTION__KEY. Another configuration altogether: --entrypoint /usr/local/bin/drift-check.
ENTRYPOINT ["/usr/local/bin/drift-check", "--config", "/etc/drift-check/config.toml"]
