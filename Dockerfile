# Three images. `serve`, the default, shows an index and needs no torch; `full` builds and trains;
# `cluster` builds on many machines (deploy/ray-job.yaml).
#
#   docker build -t fitting-room .
#   docker build -t fitting-room:full --target full .
#   docker build -t fitting-room:cluster --target cluster .
#
# docs/deployment.md says how they are run, and what each layer weighs.

# Any slim Debian with Python 3.11 or newer as `python`, and pip.
ARG PYTHON=docker.io/library/python:3.13-slim-trixie

# --- what serves, in a virtual environment, by the digests of the lock file ---------------------
FROM ${PYTHON} AS core
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PATH=/opt/venv/bin:$PATH
# Where the libraries are, whichever Python it is.
ENV PACKAGES=/opt/packages
WORKDIR /app
COPY requirements-serve.lock scripts/slim.py ./
RUN python -m venv /opt/venv \
 && ln -s "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" "${PACKAGES}" \
 && pip install --require-hashes --no-deps --only-binary :all: -r requirements-serve.lock \
 && python slim.py "${PACKAGES}"

# --- full: beside it torch for CPUs, to build and to train --------------------------------------
FROM core AS full
# PyTorch's own index of wheels without CUDA. Those have other digests than the ones on PyPI, which
# are in the lock file, so that of these two the version is fixed and not the file.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH=2.14.1
ARG TORCHVISION=0.29.1
RUN pip install --no-deps --index-url "${TORCH_INDEX}" \
    "torch==${TORCH}" "torchvision==${TORCHVISION}" \
 && python slim.py "${PACKAGES}"
COPY requirements.lock scripts/lock.py ./
RUN python lock.py --without-cuda > cpu.lock \
 && pip install --require-hashes --no-deps --only-binary :all: -r cpu.lock \
 && python slim.py "${PACKAGES}" \
 && rm cpu.lock lock.py
COPY . .
RUN python -m compileall -q fitting_room \
 && mkdir /data && chown 1000:1000 /data
ENV FITTING_ROOM_ADDRESS=0.0.0.0 FITTING_ROOM_CACHE=/data/cache TORCH_HOME=/data/torch HOME=/tmp \
    PYTHONUNBUFFERED=1
USER 1000:1000
EXPOSE 8501
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "fitting_room"]
CMD ["--help"]

# --- cluster: beside it Ray and the clients of databases, for a build on many machines ----------
FROM full AS cluster
USER 0:0
COPY requirements-cluster.lock scripts/lock.py ./
RUN python lock.py --without-cuda requirements-cluster.lock > cpu.lock \
 && pip install --require-hashes --no-deps --only-binary :all: -r cpu.lock \
 && rm cpu.lock lock.py
# KubeRay starts Ray itself, by a shell.
ENV RAY_USAGE_STATS_ENABLED=0 PYTHONPATH=/app
USER 1000:1000
ENTRYPOINT []
CMD ["python", "-m", "fitting_room", "--help"]

# --- the demo's index and its network, converted ------------------------------------------------
FROM full AS demo
RUN python -m fitting_room build data/demo --index /data/demo --backbone efficientnet_lite0 \
 && python -m fitting_room convert --index /data/demo

# --- what serves, without what it never uses ----------------------------------------------------
FROM core AS slim
RUN python slim.py "${PACKAGES}" --to-serve

# --- serve: the page, searching, adding items ---------------------------------------------------
FROM ${PYTHON} AS serve
COPY --from=slim /opt/venv /opt/venv
WORKDIR /app
COPY app.py LICENSE ./
COPY .streamlit .streamlit
COPY data data
COPY --from=full /app/fitting_room fitting_room
COPY --from=demo --chown=1000:1000 /data /data
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    FITTING_ROOM_ADDRESS=0.0.0.0 FITTING_ROOM_PORT=8501 \
    FITTING_ROOM_CACHE=/data/cache FITTING_ROOM_INDEX=/data/demo
USER 1000:1000
EXPOSE 8501
STOPSIGNAL SIGTERM
# Neither a shell nor curl: the image needs none of them to run.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['FITTING_ROOM_PORT'] + '/health', timeout=4)"]
ENTRYPOINT ["python", "-m", "fitting_room"]
CMD ["serve"]
