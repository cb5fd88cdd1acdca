# The `promptops` command by itself, over a file in /data.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p promptops-cli

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data promptops \
    && install -d -o promptops -g promptops /data
COPY --from=build /src/target/release/promptops /usr/local/bin/promptops
USER promptops
VOLUME /data
EXPOSE 8080
# No HEALTHCHECK: nothing in the image asks over HTTP. Whoever runs it asks GET /readyz.
ENTRYPOINT ["promptops"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--db", "sqlite:/data/prompts.db"]
