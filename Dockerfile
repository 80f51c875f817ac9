# One image of everything that is deployed: the services, the streams, and the two programs that prepare Kafka. Each is an entry point:
#
#     buildah bud -t onsale:0.1.0 .        (or docker build, podman build)
#     podman run onsale:0.1.0 /usr/bin/orders --help
#
# It has these programs, the libraries that they load, certificates, and nothing else: no shell, no package manager. The same tree and
# the same packages make the same image (buildah bud --timestamp 0).

# debian:trixie-20260803-slim, by the digest that docker-library/repo-info publishes of it.
ARG BASE=debian@sha256:3a39a0592364683e6bab97937b72cad5a8fa6dcbbee90edb3bb48c7f8e94f258

FROM ${BASE} AS packages
ARG DEBIAN_FRONTEND=noninteractive
# The versions of Debian 13; its security updates do not change what stands before the last dot. The base may lack some: it stays as it was made.
# h2o is Debian 12's, by its checksums.
COPY dev/fetch-h2o dev/h2o.sha256 /dev-h2o/
RUN apt-get update && apt-get upgrade -y && /dev-h2o/fetch-h2o /dev-h2o/debs && apt-get install -y --no-install-recommends \
        ca-certificates cmake=3.31.* gcc=4:14.* libc6-dev=2.41-* libcurl4-openssl-dev=8.14.* libfido2-dev=1.15.* /dev-h2o/debs/libh2o*.deb \
        libjansson-dev=2.14-* libjwt-dev=1.17.* liboath-dev=2.6.12-* libpng-dev=1.6.* libpq-dev=17.* libqrencode-dev=4.1.* librdkafka-dev=2.8.* libsodium-dev=1.0.18-* \
        libssl-dev=3.5.* libturbojpeg0-dev=1:2.1.* libutf8proc-dev=2.9.* libwebp-dev=1.5.* libwslay-dev=1.1.* ninja-build=1.12.* pkg-config=1.8.* \
        python3=3.13.* python3-yaml=6.0.* tzdata zlib1g-dev=1:1.3.* \
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
