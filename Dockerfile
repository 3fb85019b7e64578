# memsvc: targets `cpu` (serve, worker, migrate) and `gpu` (memsvc gpu). docs/deploy.md says how they are run.
#
#   docker build --target cpu -t memsvc:cpu .
#
# Base images are named by a tag; a build that must be the same byte for byte adds a digest:
#   --build-arg PYTHON_DIGEST=@sha256:...
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
ARG PYTHON_DIGEST=

FROM ${PYTHON_IMAGE}${PYTHON_DIGEST} AS python
ENV PYTHONUNBUFFERED=1

# The two distributions as wheels: what an image holds is what a user installs, and no source tree.
FROM python AS wheels
WORKDIR /src
COPY clients clients
COPY pyproject.toml README.md LICENSE ./
COPY gpu gpu
COPY lifecycle lifecycle
COPY retrieval retrieval
COPY migrations migrations
COPY memsvc memsvc
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --no-deps --wheel-dir /wheels ./clients .

# Environments without pip in them; the wheels go in by path, so that no registry can put others in their place.
# Bytecode is compiled here: where the root file system is read-only nothing could keep it later.
FROM python AS cpu-environment
COPY --from=wheels /wheels /wheels
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/memsvc \
    && server=$(ls /wheels/memsvc-*.whl) \
    && pip --python /opt/memsvc/bin/python install --only-binary :all: \
       /wheels/memsvc_client-*.whl "${server}[cpu,gpu-client,redis]"

FROM python AS gpu-environment
COPY --from=wheels /wheels /wheels
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/memsvc \
    && server=$(ls /wheels/memsvc-*.whl) \
    && pip --python /opt/memsvc/bin/python install --only-binary :all: \
       /wheels/memsvc_client-*.whl "${server}[gpu]"

# What both images share: a user of their own, and the two folders that are written to beside /tmp.
FROM python AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="memsvc" \
      org.opencontainers.image.description="A long-term memory service for AI agents" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --system --gid 10001 memsvc \
    && useradd --system --uid 10001 --gid memsvc --no-create-home --home-dir /tmp --shell /usr/sbin/nologin memsvc \
    && install -d -o memsvc -g memsvc -m 700 /var/lib/memsvc /run/memsvc
# Compiled loops are kept in the volume: they fit the processor that they were compiled on, so the image cannot bring them.
ENV PATH=/opt/memsvc/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    MEMSVC_HOST=0.0.0.0 \
    MEMSVC_DATA_DIR=/var/lib/memsvc \
    NUMBA_CACHE_DIR=/var/lib/memsvc/cache/numba
VOLUME /var/lib/memsvc
WORKDIR /tmp
ENTRYPOINT ["memsvc"]

FROM runtime AS gpu
# Triton builds its link to the driver with a C compiler when it first starts: the one target that needs one at run time.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=gpu-environment /opt/memsvc /opt/memsvc
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TRITON_CACHE_DIR=/var/lib/memsvc/cache/triton \
    MEMSVC_GPU_SOCKET=ipc:///run/memsvc/gpu.sock
USER 10001:10001
# Loading the memories and compiling kernels come before the socket.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10m --retries=3 \
    CMD ["python", "-m", "memsvc.health.probe", "socket", "/run/memsvc/gpu.sock"]
CMD ["gpu"]

# Last, so that a build without --target makes this one.
FROM runtime AS cpu
COPY --from=cpu-environment /opt/memsvc /opt/memsvc
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python", "-m", "memsvc.health.probe", "ready"]
CMD ["serve"]
