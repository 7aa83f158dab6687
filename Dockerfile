# One image build for all services: `docker build --target producer-grpc .`; without a target it is producer-rest.
# All binaries come from one cargo invocation, so that every service is built with the same
# features, profile and compiler. Works with BuildKit and with the classic builder.

ARG RUST_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

# --- recipe: which dependencies there are --------------------------------------------------------
# cargo-chef keeps the dependencies in a layer of their own, which an edit of the code leaves valid.
FROM ${RUST_IMAGE} AS chef
# Not optimised: it only reads manifests.
RUN cargo install --locked --debug cargo-chef@0.1.78
WORKDIR /src

FROM chef AS recipe
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

# --- build ------------------------------------------------------------------------------------
FROM chef AS build
# `dist` for images that are published: link-time optimisation, some minutes more. `quick` for images that measure nothing.
ARG PROFILE=release
ARG PACKAGES="-p producer-rest -p producer-grpc -p balance -p stream -p event-log -p stats-sidecar -p benchmark -p weir"
COPY --from=recipe /src/recipe.json ./
RUN cargo chef cook --profile ${PROFILE} --locked ${PACKAGES} --recipe-path recipe.json

COPY . .
RUN cargo build --profile ${PROFILE} --locked ${PACKAGES} \
    && mkdir -p /out /volumes/event-log && find target/${PROFILE} -maxdepth 1 -type f -perm -u+x -exec cp {} /out/ \;

# --- run time: the binary and nothing else, not as root ----------------------------------------
FROM ${RUNTIME_IMAGE} AS runtime
ARG GIT_COMMIT=unknown
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${GIT_COMMIT}"
USER 10001:10001
WORKDIR /
STOPSIGNAL SIGTERM

FROM runtime AS producer-rest
COPY --from=build /out/producer-rest /usr/local/bin/producer-rest
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/producer-rest"]

FROM runtime AS producer-grpc
COPY --from=build /out/producer-grpc /usr/local/bin/producer-grpc
EXPOSE 9090 9091
ENTRYPOINT ["/usr/local/bin/producer-grpc"]

FROM runtime AS balance
COPY --from=build /out/balance /usr/local/bin/balance
EXPOSE 8080 50051
ENTRYPOINT ["/usr/local/bin/balance"]

FROM runtime AS stream
COPY --from=build /out/stream /usr/local/bin/stream
EXPOSE 8082 50052
ENTRYPOINT ["/usr/local/bin/stream"]

# The volume takes owner and rights of the directory that the image has in its place.
FROM runtime AS event-log
COPY --from=build /out/event-log /usr/local/bin/event-log
COPY --from=build --chown=10001:10001 /volumes/ /var/lib/
EXPOSE 8083 50053
ENTRYPOINT ["/usr/local/bin/event-log"]

# For `weir seed` and `weir feed`; the rest of weir works in a checkout.
FROM runtime AS weir
COPY --from=build /out/weir /usr/local/bin/weir
ENTRYPOINT ["/usr/local/bin/weir"]

FROM runtime AS benchmark
COPY --from=build /out/benchmark /usr/local/bin/benchmark
ENTRYPOINT ["/usr/local/bin/benchmark"]

FROM runtime AS stats-sidecar
COPY --from=build /out/stats-sidecar /usr/local/bin/stats-sidecar
ENTRYPOINT ["/usr/local/bin/stats-sidecar"]

# --- on Apache Kafka --------------------------------------------------------------------------------
# Those that speak to Apache Kafka, a build of their own, so that the others stay as they are.
FROM build AS build-kafka
ARG PROFILE=release
RUN cargo build --profile ${PROFILE} --locked --target-dir target/kafka \
        -p producer-rest -p producer-grpc -p sink \
        --bin producer-rest --bin producer-grpc --bin sink \
        --features producer-rest/kafka,producer-grpc/kafka,sink/kafka \
    && mkdir -p /out-kafka && find target/kafka/${PROFILE} -maxdepth 1 -type f -perm -u+x -exec cp {} /out-kafka/ \;

FROM runtime AS producer-rest-kafka
COPY --from=build-kafka /out-kafka/producer-rest /usr/local/bin/producer-rest
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/producer-rest"]

FROM runtime AS producer-grpc-kafka
COPY --from=build-kafka /out-kafka/producer-grpc /usr/local/bin/producer-grpc
EXPOSE 9090 9091
ENTRYPOINT ["/usr/local/bin/producer-grpc"]

FROM runtime AS sink
COPY --from=build-kafka /out-kafka/sink /usr/local/bin/sink
EXPOSE 9092
ENTRYPOINT ["/usr/local/bin/sink"]

# `docker build .` without a target: the REST producer.
FROM producer-rest
