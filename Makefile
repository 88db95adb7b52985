# `make demo` shows the product, `make test` proves it; both do all their own set-up.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PY := $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help setup demo-setup demo test lanes check format crds manifests cluster bench soak study lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: demo-setup ## a commit becomes full traffic, a bad one goes back by itself (about 90 s; DEMO="--keep" leaves it up)
	@$(BIN)/rollouts demo $(DEMO)

test: setup lanes ## set up and pass every test, the real API server and Prometheus included
	@$(PY) -m pytest --numprocesses $(JOBS) --dist loadgroup $(PYTEST)
JOBS ?= 3

check: setup ## format, lint, types, import contracts, generated CRDs (seconds)
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: run make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports > /dev/null || { $(BIN)/lint-imports; exit 1; }
	@if [ -e rollouts/api/crdgen ] || [ -e rollouts/api/crdgen.py ]; then $(PY) -m rollouts.api.crdgen --check; fi

format: setup ## format and fix what can be fixed
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

lanes: setup ## find or build the real parts: API server (Go modules), Prometheus, CRDs
	@$(PY) -m tests.cluster.prepare

cluster: setup lanes ## run the real control plane with simulated workloads until Ctrl-C; prints the kubeconfig
	@$(PY) -m tests.cluster.serve

bench: setup lanes ## all benchmarks, as one table beside their budgets
	@$(PY) -m pytest tests/benchmarks --whole $(PYTEST)

soak: setup lanes ## long runs: races and crashes many times over
	@$(PY) -m pytest tests --whole -m soak $(PYTEST)

study: setup ## long statistical studies of the judge
	@$(PY) -m pytest tests --whole -m study $(PYTEST)

crds: setup ## generate crds/ from the models
	@$(PY) -m rollouts.api.crdgen

manifests: setup ## build manifests/install.yaml from manifests/cluster
	@$(BIN)/kubectl kustomize manifests/cluster > manifests/install.yaml

lock: setup ## pin the newest dependencies that pyproject.toml allows
	@$(PY) -m pip install --quiet uv
	$(BIN)/uv pip compile $(LOCK) pyproject.toml requirements/build.in --extra dev --extra lint --extra report -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml requirements/build.in --extra lint -o requirements/demo.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml -o requirements/run.txt
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header

clean: ## remove the venv and every cache of this folder (built parts in ~/.cache/rollouts stay)
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@$(if $(PYTHON),,$(error no Python 3.11 or newer on PATH; install python3 or set PYTHON=/path/to/python3))
	@$(PYTHON) -m tools.setup dev

demo-setup:
	@$(if $(PYTHON),,$(error no Python 3.11 or newer on PATH; install python3 or set PYTHON=/path/to/python3))
	@$(PYTHON) -m tools.setup demo
