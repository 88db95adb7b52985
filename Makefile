# `make demo` shows the product, `make test` proves it; both do all their own set-up.
SHELL := /bin/bash
PY := .venv/bin/python

.PHONY: setup check format lock
setup: .venv/.ready

.venv/.ready: requirements/dev.txt pyproject.toml
	python3 -m venv .venv
	$(PY) -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(PY) -m pip install --quiet --no-deps --no-build-isolation -e . || $(PY) -m pip install --quiet --no-deps -e .
	touch $@

check: setup
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-timing

format: setup
	.venv/bin/ruff format --quiet .
	.venv/bin/ruff check --fix --quiet .

.PHONY: manifests
manifests: setup
	.venv/bin/kubectl kustomize manifests/cluster > manifests/install.yaml
