# Every part of fusetrack in one image: docker build -t fusetrack .
# For NVIDIA GPUs: docker build -t fusetrack:cuda --build-arg TORCH_INDEX=https://pypi.org/simple .
FROM python:3.12-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/fusetrack
COPY constraints.txt ./
RUN /opt/fusetrack/bin/pip install --constraint constraints.txt \
      --extra-index-url "$TORCH_INDEX" torch torchvision
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY configs configs
COPY trackers trackers
COPY reid_model reid_model
COPY pipeline pipeline
COPY fusetrack fusetrack
RUN /opt/fusetrack/bin/pip install --constraint constraints.txt .
# Nothing is fetched while it runs. The ReID network comes with fusetrack.
ENV FUSETRACK_CACHE=/opt/fusetrack/cache
RUN /opt/fusetrack/bin/fusetrack weights pull yolo26n

FROM python:3.12-slim-bookworm
# What OpenCV loads. Debian's stable gives these packages security fixes only.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/fusetrack /opt/fusetrack
# The cache is written to: the detector is converted for the processor at the first start.
RUN useradd --system --uid 10001 --no-create-home fusetrack \
 && mkdir -p /data \
 && chown -R fusetrack: /opt/fusetrack/cache /data
ENV PATH=/opt/fusetrack/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    FUSETRACK_CACHE=/opt/fusetrack/cache \
    HEALTH_URL=http://127.0.0.1:9100/healthz
USER 10001
WORKDIR /data
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(os.environ['HEALTH_URL'], timeout=3)"]
ENTRYPOINT ["fusetrack"]
CMD ["--help"]
