# Every command of this project; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLEET ?= examples/local.yaml
IMAGE ?= statusfleet.test/statusfleet:dev
CLUSTER ?= local
CRD := crds/statusfleets.statusfleet.io.yaml
REFERENCE := docs/reference-manifest.md
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install up test lint fmt crds manifests clean cluster cluster-down kind image deploy test-cluster

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed-operator ## make .venv and install the project

up: $(VENV)/installed-operator ## run the fleet of examples/local.yaml until Ctrl-C
	@$(BIN)/statusfleet up $(FLEET)

test: $(VENV)/installed-test ## run every test that this machine can run
	@$(BIN)/pytest -n auto --dist worksteal -r fE  # the summary counts what was skipped, by reason

lint: $(VENV)/installed-dev ## style, types, floors, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/statusfleet crd | diff -u $(CRD) - || { echo "$(CRD) is stale: make crds"; exit 1; }
	@$(BIN)/statusfleet crd --output markdown | diff -u $(REFERENCE) - || { echo "$(REFERENCE) is stale: make crds"; exit 1; }

fmt: $(VENV)/installed-dev ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

crds: $(VENV)/installed-operator ## write crds/ and the manifest's reference anew from the models
	@$(BIN)/statusfleet crd > $(CRD).new && mv $(CRD).new $(CRD)
	@cp $(CRD) charts/statusfleet/files/
	@$(BIN)/statusfleet crd --output markdown > $(REFERENCE).new && mv $(REFERENCE).new $(REFERENCE)

cluster: ## start a Kubernetes of two nodes without Docker (root, Debian)
	@hack/cluster/cluster up --nodes 2
	@echo 'next: eval "$$(hack/cluster/cluster env)"'

cluster-down: ## stop it
	@hack/cluster/cluster down

kind: ## start a Kubernetes of three nodes in Docker, with the image and a fleet on it
	@IMAGE=$(IMAGE) hack/kind

image: ## build the image: for the cluster of `make cluster` while it runs, else with Docker
	@if [ ! -d /var/lib/statusfleet-cluster ] && docker info >/dev/null 2>&1; \
		then docker build --tag $(IMAGE) .; else hack/cluster/cluster image . $(IMAGE); fi

deploy: ## install the chart and examples/kind.yaml: CLUSTER=local, kind or current
	@CLUSTER=$(CLUSTER) IMAGE=$(IMAGE) hack/deploy

test-cluster: $(VENV)/installed-test ## run the tests on a cluster: CLUSTER=local, kind or current
	@CLUSTER=$(CLUSTER) $(BIN)/pytest tests/cluster -m "not alone" -n 5 --dist loadfile --no-loadscope-reorder -r fE
	@CLUSTER=$(CLUSTER) $(BIN)/pytest tests/cluster -m alone -r fE

manifests: ## write dist/statusfleet.yaml for kubectl apply -f (needs helm; IMAGE=NAME:TAG, VALUES=FILE)
	@IMAGE=$(if $(filter file,$(origin IMAGE)),,$(IMAGE)) VALUES=$(VALUES) hack/manifests

clean: ## remove everything that was made
	@rm -rf $(VENV) .build .statusfleet dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed; to name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }  # half a one would look whole to make

# One stamp an extra, so that a second run starts at once.
$(VENV)/installed-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing statusfleet[$*] into $(VENV) (once; takes about half a minute)"
	@$(BIN)/python -m pip install --quiet --only-binary :all: --editable '.[$*]'
	@touch $@
