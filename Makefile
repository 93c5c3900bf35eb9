# Needs make and Python 3.11 or later with venv and pip. Everything else comes into .venv, by the hashes in the locks.

PYTHON ?= python3
# Words for the program behind a target: make serve ARGS='--port 8080', make test ARGS='tests/house -x'.
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv --quiet pip
LOCKS := requirements-bootstrap.lock requirements.lock requirements-dev.lock
COMPILE := $(UV) compile --system-certs --generate-hashes --universal --python-version 3.11 --no-header --no-annotate

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# uv installs into this environment, whatever other one the shell has activated.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help install serve test check bench requirements lock clean
.DELETE_ON_ERROR:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make .venv with Holdfast and all that it needs

serve: $(VENV)/.installed ## run the demo business on an embedded PostgreSQL; stop with Ctrl-C
	@exec $(BIN)/holdfast serve --demo $(ARGS)

test: $(VENV)/.installed ## run the tests, on a PostgreSQL of their own
	@exec $(BIN)/pytest $(ARGS)

check: $(VENV)/.installed ## lint, format, types, import contract, migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk src/holdfast/migrations/*.sql

bench: $(VENV)/.installed ## measure this machine against plain PostgreSQL
	@exec $(BIN)/python -m bench $(ARGS)

requirements: $(VENV)/.installed ## print the requirements that no test names
	@$(BIN)/python tests/house/requirements.py

lock: $(VENV)/.bootstrapped ## write the locks anew from pyproject.toml; ARGS=--upgrade for later versions
	echo uv | $(COMPILE) $(ARGS) - -o requirements-bootstrap.lock
	$(COMPILE) $(ARGS) pyproject.toml -o requirements.lock
	$(COMPILE) $(ARGS) --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove .venv, caches and build results; data directories stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The installer alone, so that the locks can be written before they can be installed.
$(VENV)/.bootstrapped: requirements-bootstrap.lock
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or later, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Holdfast needs Python 3.11 or later; $(PYTHON) is older. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) lacks the module venv or ensurepip. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --require-hashes -r $<
	@touch $@

$(VENV)/.installed: $(VENV)/.bootstrapped $(LOCKS) pyproject.toml
	@$(UV) sync --system-certs --require-hashes $(LOCKS)
	@$(UV) install --system-certs --no-deps --no-build-isolation -e .
	@touch $@
