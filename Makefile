# volwatch. Bare `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
# Compiled modules are kept: without them every start of Airflow, and of the tests, compiles thousands of files anew.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.volwatch-setup
QUICK_TESTS := $(wildcard tests/unit tests/contract tests/dags)
OTHER_TESTS := $(wildcard tests/dashboard tests/integration)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done
	@echo "  demo takes FOR=seconds SYMBOLS=number RATE=trades-per-second; bench takes ONLY=name; PYTHON=program chooses the Python"

.PHONY: setup
setup: $(STAMP) ## make .venv, fetch Kafka and build MinIO, install what the tests need (again only after a change)

$(STAMP): requirements.lock pyproject.toml .ci/setup services/volwatch/local/pom.xml services/volwatch/local/fetch.py
	@PYTHON="$(PYTHON)" .ci/setup
	@touch $@

.PHONY: lock
lock: setup ## resolve the dependencies anew into requirements.lock
	$$(command -v uv || echo build/uv/bin/uv) pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --output-file requirements.lock pyproject.toml

.PHONY: check
check: setup ## lint, types and the quick tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	@if grep -q '^\[tool\.importlinter\]' pyproject.toml; then $(BIN)/lint-imports; fi
	$(BIN)/pytest -n 2 $(QUICK_TESTS)

.PHONY: test
test: check ## check, and the tests that need a browser or real servers
	$(BIN)/pytest $(OTHER_TESTS)

.PHONY: demo
demo: setup ## run the whole platform on this machine and inject a spike
	@$(BIN)/volwatch local demo $(if $(FOR),--for $(FOR)) $(if $(SYMBOLS),--symbols $(SYMBOLS)) $(if $(RATE),--rate $(RATE))

.PHONY: bench
bench: setup ## measure against the peers
	@$(BIN)/python tests/benchmarks/run.py $(if $(ONLY),--only $(ONLY))

.PHONY: clean
clean: ## remove what was made here; the caches of the user stay
	rm -rf $(VENV) .volwatch build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
