# The menu: `make` alone shows it. Everything runs in .venv, which scripts/setup makes when needed.
# Variables: BROWSER=no (print the URL only) · PYTHON=/path/to/python3 · NOTEBOOK=… · PYTEST="-k lab" (what pytest is told)
#            PARITY="--at-once 2" (what tools.parity is told)

BROWSER ?= yes
NOTEBOOK ?= notebooks/01-pods-are-ephemeral.ipynb
PYTEST ?=
PARITY ?=
VENV := .venv/bin/python
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help lab test check notebooks parity bench down clean setup-lab setup-test

help: ## show this menu
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

lab: setup-lab ## start the cluster and open JupyterLab on the first lesson
	@$(VENV) -m kubelab.cli lab $(if $(filter no,$(BROWSER)),--no-browser) "$(NOTEBOOK)"

test: setup-test check ## run the whole suite
	@$(VENV) -m $(if $(PYTEST),pytest $(PYTEST),tools.suite)

check: setup-test ## lint, types, import contracts
	@$(VENV) -m ruff check .
	@$(VENV) -m mypy
	@.venv/bin/lint-imports --no-logo

notebooks: setup-test ## run the lessons and compare every cell's output
	@$(VENV) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=120 --timeout=300 notebooks solutions $(PYTEST)

parity: setup-test ## run every lesson on every cluster that is there, and write the table into README.md (40 minutes; PARITY="--at-once 3": 17)
	@$(VENV) -m tools.parity --readme $(PARITY)

bench: setup-lab ## measure: start, requests and memory, kube-proxy's modes, traces (minutes)
	@$(VENV) -m benchmarks

down: setup-lab ## stop the cluster
	@$(VENV) -m kubelab.cli down

clean: ## remove what the other targets made here
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache

setup-lab:
	@scripts/setup lab

setup-test:
	@scripts/setup test
