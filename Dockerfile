# Built in one stage, run from an empty image: the binaries, the few libraries they link, nothing else.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin tidemark --bin tidemark-bench
# What the binaries link, at the paths the loader expects; a user without privileges; an empty store
# that the user owns.
RUN set -eu; \
    mkdir -p /image/usr/local/bin /image/etc /image/tmp /store; \
    cp target/release/tidemark target/release/tidemark-bench /image/usr/local/bin/; \
    strip /image/usr/local/bin/*; \
    for lib in $(ldd /image/usr/local/bin/* | grep -o '/[^ :]*' | grep '\.so' | sort -u); do \
        mkdir -p "/image$(dirname "$lib")"; cp -L "$lib" "/image$lib"; \
    done; \
    echo 'tidemark:x:10001:10001::/:/' > /image/etc/passwd; \
    echo 'tidemark:x:10001:' > /image/etc/group; \
    echo 'hosts: files dns' > /image/etc/nsswitch.conf

FROM scratch
COPY --from=build /image/ /
COPY --from=build --chown=10001:10001 /store/ /data/
USER 10001:10001
VOLUME /data
# 8001 is for probes and metrics alone.
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/tidemark"]
# A container's loopback is its own: it has to listen on every address to be reached at all.
CMD ["serve", "--addr", "0.0.0.0:8000", "--health-addr", "0.0.0.0:8001", "--data-dir", "/data", "--insecure"]
