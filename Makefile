# figway's commands. Each makes what it needs first: system packages (docker/apt.txt) and .venv (docker/requirements*.txt).
.DEFAULT_GOAL := help
.PHONY: help run test test-slow bench check lock clean system-run system-test system-slow

# Python 3.11 or later; looked for when it is needed, as the system packages may bring it.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
# What one process has compiled the others needn't.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
# Side by side, file by file: much of the time goes into waiting for servers. In order, so that the long ones aren't last.
PYTEST := $(BIN)/python -m pytest -n 3 --no-loadscope-reorder

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

run: system-run .venv/.figway ## the demo estate and the gateway, on port 8080
	@exec $(BIN)/figway demo

test: system-test check ## everything, long figures reduced
	@$(PYTEST) --timeout 300 -m "not slow"

test-slow: system-slow check ## everything, full figures
	@FIGWAY_SLOW=1 $(PYTEST) -m "slow or not slow"

bench: system-test .venv/.test ## figures into .bench/results.json
	@$(BIN)/python tests/bench

check: .venv/.test ## format, lint and types
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

lock: .venv/.test ## docker/requirements*.txt from pyproject.toml, at the newest versions
	@docker/lock $(BIN)/python

clean: ## remove what these commands made; the demo's state in .figway stays
	@rm -rf .venv .bench .mypy_cache .ruff_cache .hypothesis

system-run:
	@docker/apt-install image run

system-test:
	@docker/apt-install image run test

system-slow:
	@docker/apt-install image run test slow

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or later isn't installed" >&2; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

# Stamps: a file in .venv newer than what it was made from.
.venv/.run: docker/requirements.txt docker/requirements-build.txt | $(BIN)/python
	@echo "installing Python packages"
	@$(PIP) install --require-hashes -r docker/requirements-build.txt -r docker/requirements.txt
	@touch $@

.venv/.figway: pyproject.toml .venv/.run
	@echo "installing figway"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: docker/requirements-test.txt .venv/.figway
	@echo "installing test packages"
	@$(PIP) install --require-hashes -r docker/requirements-test.txt
	@touch $@
