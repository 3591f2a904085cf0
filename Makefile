# Every command of this project; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLEET ?= examples/local.yaml
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install up test lint fmt crds manifests bench clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed-operator ## make .venv and install the project

up: $(VENV)/installed-operator ## run the fleet of examples/local.yaml until Ctrl-C
	@$(BIN)/statusfleet up $(FLEET)

test: $(VENV)/installed-test ## run every test that this machine can run
	@$(BIN)/pytest -n auto

lint: $(VENV)/installed-dev ## style, types, floors, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/statusfleet crd | diff -u crds/statusfleets.statusfleet.io.yaml - || { echo "crds/ is stale: make crds"; exit 1; }

fmt: $(VENV)/installed-dev ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

crds: $(VENV)/installed-operator ## write crds/ anew from the models
	@$(BIN)/statusfleet crd > crds/statusfleets.statusfleet.io.yaml
	@cp crds/statusfleets.statusfleet.io.yaml charts/statusfleet/files/

manifests: ## write dist/statusfleet.yaml, the chart for kubectl apply -f (needs helm; VALUES=file)
	@mkdir -p dist
	@printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: statusfleet-system\n' > dist/statusfleet.yaml
	@helm template statusfleet charts/statusfleet --namespace statusfleet-system --no-hooks \
		$(if $(VALUES),--values $(VALUES)) >> dist/statusfleet.yaml
	@echo dist/statusfleet.yaml

clean: ## remove everything that was made
	@rm -rf $(VENV) .build .statusfleet dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# One stamp an extra, so that a second run starts at once.
$(VENV)/installed-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing statusfleet[$*] into $(VENV)"
	@$(BIN)/python -m pip install --quiet --only-binary :all: --editable '.[$*]'
	@touch $@
