# One image for the node and the operator: `statusd` and `statusfleet` are on PATH.
#
#   docker build -t statusfleet .        or, without Docker:  hack/cluster/cluster image . statusfleet
#
# It runs as any user with a read-only root file system; a node needs a writable folder for -dir.

FROM python:3.11-slim-bookworm AS build
# Where packages come from, if not from PyPI: docker build --build-arg PIP_INDEX_URL=https://…
ARG PIP_INDEX_URL
WORKDIR /src
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv --without-pip /opt/statusfleet

# First what seldom changes: the dependencies, as wheels only, so that no compiler is needed.
# Bytecode is made by hash: nothing can write it at run time, and times of files do not matter.
COPY constraints.txt pyproject.toml ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
x = p['optional-dependencies']; wanted = p['dependencies'] + x['node'] + x['operator']; \
print(*(w for w in wanted if not w.startswith(p['name'])), sep='\n')" > requirements.txt \
 && python -m pip --python /opt/statusfleet/bin/python install --only-binary=:all: --no-compile \
      --requirement requirements.txt \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/statusfleet/lib

COPY LICENSE README.md ./
COPY node node
COPY operator operator
RUN python -m pip --python /opt/statusfleet/bin/python install --no-deps --no-compile . \
 && python -m compileall -q --invalidation-mode unchecked-hash \
      /opt/statusfleet/lib/python3.11/site-packages/status*

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Status Fleet" \
      org.opencontainers.image.description="Status nodes and the operator of their fleets" \
      org.opencontainers.image.licenses="Apache-2.0"
# The base's pip goes, and its standard library gets bytecode: the official image has none.
RUN python -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|dist-packages|site-packages)/' \
      "$(python -c 'import os; print(os.path.dirname(os.__file__))')" \
 && rm -rf /usr/local/lib/python3.11/site-packages/* /usr/local/lib/python3.11/ensurepip \
      /usr/local/bin/pip*
ENV PATH=/opt/statusfleet/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
CMD ["statusfleet", "--help"]
COPY --from=build /opt/statusfleet /opt/statusfleet
