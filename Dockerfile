# One image of everything that is deployed: the services, the streams, and the two programs that prepare Kafka. Each is an entry point:
#
#     buildah bud -t onsale:0.1.0 .        (or docker build, podman build)
#     podman run onsale:0.1.0 /usr/bin/orders --help
#
# It has these programs, the libraries that they load, certificates, and nothing else: no shell, no package manager. The same tree and
# the same packages make the same image (buildah bud --timestamp 0).

# debian:bookworm-20260918-slim, by the digest that docker-library/repo-info publishes of it.
ARG BASE=debian@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251

FROM ${BASE} AS packages
ARG DEBIAN_FRONTEND=noninteractive
# The versions of Debian 12; its security updates do not change what stands before the last dot. The base may lack some: it stays as it was made.
RUN apt-get update && apt-get upgrade -y && apt-get install -y --no-install-recommends \
        ca-certificates cmake=3.25.* gcc=4:12.* libc6-dev=2.36-* libcurl4-openssl-dev=7.88.* libh2o-evloop-dev=2.2.5* \
        libjansson-dev=2.14-* libjwt-dev=1.10.* libpq-dev=15.* librdkafka-dev=2.0.2-* libsodium-dev=1.0.18-* libssl-dev=3.0.* \
        libwslay-dev=1.1.* ninja-build=1.11.* pkg-config=1.8.* python3=3.11.* zlib1g-dev=1:1.2.13* \
    && rm -rf /var/lib/apt/lists/*

FROM packages AS build
WORKDIR /src
COPY . .
RUN cmake --preset release --log-level=NOTICE -DONSALE_RELEASE_FLAGS=-O2 -DBUILD_TESTING=OFF && cmake --build build/release
ARG VERSION=0.1.0
RUN cmake --install build/release --prefix /image/usr --strip && python3 tools/imageroot.py ${VERSION} /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Onsale" \
      org.opencontainers.image.description="A ticket marketplace for the minute an on-sale opens" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="README.md"
COPY --from=build /image /
ENV PATH=/usr/bin
USER 10001:10001
