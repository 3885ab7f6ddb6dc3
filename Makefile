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
CHART_TESTS := tests/chart
OTHER_TESTS := $(wildcard tests/dashboard tests/integration)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/volwatch

CHART := charts/volwatch
NAMESPACE ?= volwatch
VALUES ?= $(CHART)/ci/kind.yaml
REGISTRY ?=
TAG ?= $(shell sed -n 's/^appVersion: "\(.*\)"/\1/p' $(CHART)/Chart.yaml)
TARGETS ?= service dashboard airflow minio

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done
	@echo "  demo takes FOR=seconds SYMBOLS=number RATE=trades-per-second; bench takes ONLY=name; PYTHON=program chooses the Python"
	@echo "  faults takes SEED=number KILLS=number RATE=trades-per-second"
	@echo "  up and install take VALUES=file NAMESPACE=name; images takes REGISTRY=host/folder TAG=tag TARGETS='service …'"

.PHONY: setup
setup: $(STAMP) ## make .venv, fetch Kafka and build MinIO, install what the tests need (again only after a change)

$(STAMP): requirements.lock pyproject.toml .ci/setup services/volwatch/local/pom.xml services/volwatch/local/fetch.py
	@PYTHON="$(PYTHON)" .ci/setup
	@touch $@

.PHONY: lock
lock: setup ## resolve the dependencies anew into requirements.lock
	$$(command -v uv || echo build/uv/bin/uv) pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --output-file requirements.lock pyproject.toml

.PHONY: tools
tools: ## put helm, promtool and Alertmanager into the cache, where they are missing
	@.ci/tools

.PHONY: check
check: setup tools ## lint, types and the quick tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	@if grep -q '^\[tool\.importlinter\]' pyproject.toml; then $(BIN)/lint-imports; fi
	$(BIN)/pytest -n 2 $(QUICK_TESTS) $(CHART_TESTS)

.PHONY: test
test: check ## check, and the tests that need a browser or real servers
	$(BIN)/pytest $(OTHER_TESTS)

.PHONY: demo
demo: setup ## run the whole platform on this machine and inject a spike
	@$(BIN)/volwatch local demo $(if $(FOR),--for $(FOR)) $(if $(SYMBOLS),--symbols $(SYMBOLS)) $(if $(RATE),--rate $(RATE))

.PHONY: bench
bench: setup ## measure against the peers
	@$(BIN)/python tests/benchmarks/run.py $(if $(ONLY),--only $(ONLY))

.PHONY: screenshots
screenshots: setup ## make the pictures of the dashboard in docs/images anew: look at each
	@$(BIN)/python tests/screenshots/main.py

.PHONY: faults
faults: setup ## kill everything again and again, and prove that nothing was lost or doubled
	@$(BIN)/python tests/faults/main.py $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS)) $(if $(RATE),--rate $(RATE))

.PHONY: images
images: ## build the container images: needs docker
	@revision=$$(git describe --always --dirty --abbrev=40 --exclude='*' 2> /dev/null || echo unknown); \
	for target in $(TARGETS); do \
	  echo "images: $(REGISTRY:%=%/)volwatch-$$target:$(TAG)"; \
	  docker build --target $$target --build-arg REVISION=$$revision --tag $(REGISTRY:%=%/)volwatch-$$target:$(TAG) .; \
	done
	@for target in $(TARGETS); do \
	  docker images --format '{{.Size}}	{{.Repository}}:{{.Tag}}' $(REGISTRY:%=%/)volwatch-$$target:$(TAG); \
	done

.PHONY: deps
deps: ## fetch the charts that ours depends on
	helm dependency update $(CHART)

.PHONY: crds
crds: ## bring the operators' resource definitions up to date, which an upgrade by helm does not
	helm show crds oci://quay.io/strimzi-helm/strimzi-kafka-operator --version 1.2.0 | kubectl apply --server-side --force-conflicts --filename -

.PHONY: install
install: ## install or upgrade the chart on the cluster of the current kube context
	kubectl get namespace $(NAMESPACE) > /dev/null 2>&1 || kubectl create namespace $(NAMESPACE)
	kubectl label --overwrite namespace $(NAMESPACE) pod-security.kubernetes.io/enforce=restricted
	helm upgrade --install volwatch $(CHART) --namespace $(NAMESPACE) --values $(VALUES) --wait --timeout 20m

.PHONY: up
up: images ## a kind cluster with the whole platform: needs docker, kind, kubectl and helm
	kind get clusters | grep --quiet --line-regexp volwatch || kind create cluster --config kind-config.yaml
	kind load docker-image --name volwatch $(TARGETS:%=volwatch-%:$(TAG))
	@$(MAKE) deps install

.PHONY: down
down: ## delete the kind cluster and all its data
	kind delete cluster --name volwatch

.PHONY: e2e
e2e: setup tools ## build the images, install the chart on the cluster of the current kube context and test it there
	@.ci/e2e

.PHONY: clean
clean: ## remove what was made here; the caches of the user stay
	rm -rf $(VENV) .volwatch build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
