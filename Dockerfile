# One static binary and nothing else: no shell, no libc, no package manager.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# A static binary from the toolchain that is there: no other target has to be fetched.
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN cargo build --release --locked --package entracte --target "$(rustc -vV | sed -n 's/^host: //p')" \
 && cp target/*/release/entracte /entracte

FROM scratch
COPY --from=build /entracte /entracte
USER 65532:65532
ENTRYPOINT ["/entracte"]
