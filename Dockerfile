# The images of volwatch, one target each: service, dashboard, airflow, minio.
#
#   python ─┬─ runtime ─────────────────────┬──────────────┐
#           │                               ▼              ▼
#           └─ build ─┬─ service-packages ─► service ◄─┐  dashboard ◄─┐    (both with sql/)
#                     ├─ dashboard-packages ───────────┼────┘         │
#                     ├─ wheel ─┬─ package ────────────┴──────────────┘    our own code, laid over the packages
#                     │         └──────────────┐
#                     └─ airflow-packages ─► airflow                       (with airflow/dags/)
#                            ▲                 ▲
#   apache/airflow ─── airflow-base ───────────┘
#
#   golang ─── minio-build ─► minio
#
# Packages come from requirements.lock alone, each checked against its hash, in layers that do not depend on our code:
# after a change of it only `wheel` and what follows is made anew. A release may pin a base by digest: tag@sha256:...

ARG VERSION=0.1.0
ARG REVISION=unknown


FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    # Compiled modules are used as they are: nothing looks whether the time of a source is still the same.
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
WORKDIR /build
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=docker/uv.txt,target=uv.txt \
    pip install --quiet --root-user-action=ignore --require-hashes --requirement uv.txt \
    && python -m venv --without-pip /opt/volwatch
ENV VIRTUAL_ENV=/opt/volwatch


FROM build AS service-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=requirements.lock,target=requirements.lock \
    uv pip install --require-hashes --no-build --constraint requirements.lock \
      --requirement pyproject.toml --extra producer --extra consumer --extra pipeline --extra notifier \
    # kubernetes.aio is the whole client once more, for asyncio.
    && cd /opt/volwatch/lib/python3.*/site-packages && rm -rf pandas/tests pyarrow/tests kubernetes/aio \
    && find scipy statsmodels -type d -name tests -prune -exec rm -rf {} +


FROM build AS dashboard-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=requirements.lock,target=requirements.lock \
    uv pip install --require-hashes --no-build --constraint requirements.lock \
      --requirement pyproject.toml --extra dashboard \
    && cd /opt/volwatch/lib/python3.*/site-packages && rm -rf pandas/tests pyarrow/tests


FROM build AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY dashboard dashboard
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=requirements.lock,target=requirements.lock \
    uv build --quiet --wheel --require-hashes --build-constraint requirements.lock --out-dir /wheel


FROM build AS package
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    uv pip install --no-deps /wheel/*.whl


FROM python:3.13-slim-trixie AS runtime
# The official image has no compiled standard library, which a process that may not write compiles anew at each start.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/ensurepip /usr/local/lib/python3.*/site-packages/pip* \
    && python -m compileall -q -x '/(idlelib|test|tests|tkinter|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
ENV PATH=/opt/volwatch/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["volwatch"]
EXPOSE 9100
ARG VERSION REVISION
LABEL org.opencontainers.image.source=https://github.com/volwatch/volwatch \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.licenses=Apache-2.0


FROM runtime AS service
COPY --from=service-packages /opt/volwatch /opt/volwatch
COPY --from=package /opt/volwatch /opt/volwatch
COPY sql /app/sql
CMD ["--help"]
LABEL org.opencontainers.image.title=volwatch-service \
      org.opencontainers.image.description="volwatch: producer, consumer, pipeline, notifier and migrations"


FROM runtime AS dashboard
COPY --from=dashboard-packages /opt/volwatch /opt/volwatch
COPY --from=package /opt/volwatch /opt/volwatch
# By their names a pod knows the schema that it has to wait for.
COPY sql /app/sql
CMD ["dashboard"]
EXPOSE 8501
LABEL org.opencontainers.image.title=volwatch-dashboard \
      org.opencontainers.image.description="volwatch: the dashboard"


FROM apache/airflow:3.3.2-python3.13 AS airflow-base
RUN pip list --format=freeze > /tmp/base.txt


# What the pipeline needs and Airflow's image lacks. A package of the base keeps its version; the build ends if one that
# it lacks cannot have the lock's.
FROM build AS airflow-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=requirements.lock,target=requirements.lock \
    --mount=type=bind,from=airflow-base,source=/tmp/base.txt,target=base.txt \
    cp requirements.lock /lacking.txt \
    && uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --generate-hashes \
      --constraint base.txt $(sed 's/==.*//; s/^/--no-emit-package=/' base.txt) \
      --output-file /lacking.txt pyproject.toml --extra pipeline \
    && sed 's/ ;.*/ \\/' requirements.lock > /lock.txt \
    && ! grep --line-regexp --invert-match --fixed-strings --file=/lock.txt /lacking.txt


FROM apache/airflow:3.3.2-python3.13 AS airflow
RUN --mount=type=bind,from=airflow-packages,source=/lacking.txt,target=/lacking.txt \
    pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes --requirement /lacking.txt
# Airflow's image has no compiled modules either. What the pod of a task imports is compiled by importing it: without,
# compiling is half of its processor time.
USER root
RUN export AIRFLOW_HOME=/tmp/airflow \
    && python -c "import airflow.sdk.execution_time.execute_workload, airflow.sdk.execution_time.task_runner" \
    && rm -rf /tmp/airflow
USER 50000:0
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir --no-deps /wheel/*.whl
COPY --chown=airflow:root airflow/dags /opt/airflow/dags
ARG VERSION REVISION
LABEL org.opencontainers.image.title=volwatch-airflow \
      org.opencontainers.image.description="Apache Airflow with the DAGs of volwatch" \
      org.opencontainers.image.source=https://github.com/volwatch/volwatch \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.licenses=Apache-2.0


# The object store, unmodified and from its source: its public images are gone. Release tags are no module versions.
FROM golang:1.26-trixie AS minio-build
ARG MINIO_VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
RUN --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    CGO_ENABLED=0 GOBIN=/root-of-minio go install -trimpath -ldflags="-s -w" github.com/minio/minio@$MINIO_VERSION \
    && cd /root-of-minio \
    && install -D -m 644 -t licenses/minio \
      /go/pkg/mod/github.com/minio/minio@$MINIO_VERSION/LICENSE \
      /go/pkg/mod/github.com/minio/minio@$MINIO_VERSION/NOTICE \
      /go/pkg/mod/github.com/minio/minio@$MINIO_VERSION/CREDITS \
    && install -D -m 644 -t etc/ssl/certs /etc/ssl/certs/ca-certificates.crt \
    && install -d -m 1777 tmp \
    && install -d -o 1000 -g 1000 data


FROM scratch AS minio
ARG MINIO_VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
COPY --from=minio-build /root-of-minio /
ENV HOME=/tmp MINIO_UPDATE=off
USER 1000:1000
ENTRYPOINT ["/minio"]
CMD ["server", "/data"]
EXPOSE 9000
LABEL org.opencontainers.image.title=volwatch-minio \
      org.opencontainers.image.description="MinIO, unmodified, built from the Go module github.com/minio/minio" \
      org.opencontainers.image.source=https://github.com/minio/minio \
      org.opencontainers.image.version=$MINIO_VERSION \
      org.opencontainers.image.revision=7aac2a2c5b7c \
      org.opencontainers.image.licenses=AGPL-3.0-only
