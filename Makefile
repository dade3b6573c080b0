# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
ARGS ?=
TIMES ?= 100
SEEDS ?= 1 2 3
VENV := .venv
EMULATE := tests/emulate
BIN := $(VENV)/bin
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz chaos emulate node bench lint format lock clean

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Pointsman needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Name one: make PYTHON=python3.12 …"; exit 2; }
	@echo "Making $(VENV) (once, about a minute) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.installed  ## a sandbox, the bot and a sample repository; ARGS=--once ends by itself
	@$(BIN)/pointsman demo $(ARGS)

test: $(VENV)/.installed  ## all tests; ARGS goes to pytest
	@$(BIN)/python -m pytest $(ARGS)

fuzz: $(VENV)/.installed  ## the property and fuzz tests with TIMES=100 times as many examples
	@FUZZ_TIMES=$(TIMES) $(BIN)/python -m pytest $(ARGS) tests/fuzz tests/core/yaml/test_yaml_properties.py \
	  tests/core/yaml/test_yaml_create_properties.py tests/core/yaml/test_yaml_fuzz.py

chaos: $(VENV)/.installed  ## kills, faults and lost webhooks; SEEDS="1 2 3" are as many runs of two minutes
	@CHAOS_SEEDS="$(SEEDS)" $(BIN)/python -m pytest -s $(ARGS) tests/chaos

# The emulator needs node 20 or newer. Where there is none, PyPI has one.
node:
	@{ command -v npm && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; } > /dev/null 2>&1 \
	  || [ -x $(VENV)-node/bin/npm ] || { \
	    echo "Making $(VENV)-node for node (once) …" && $(PYTHON) -m venv $(VENV)-node \
	    && $(VENV)-node/bin/pip install -qq --disable-pip-version-check --require-hashes -r $(EMULATE)/requirements.txt; }

$(EMULATE)/node_modules/.installed: $(EMULATE)/package.json $(EMULATE)/package-lock.json | node
	@cd $(EMULATE) && PATH="$(CURDIR)/$(VENV)-node/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

emulate: $(VENV)/.installed $(EMULATE)/node_modules/.installed  ## the whole way against a GitHub emulator that others wrote
	@EMULATE=1 PATH="$(CURDIR)/$(VENV)-node/bin:$$PATH" $(BIN)/python -m pytest -s $(ARGS) $(EMULATE)

$(VENV)-bench/.installed: bench/requirements.txt
	@echo "Making $(VENV)-bench for the peer (once) …"
	@$(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/pip install -qq --disable-pip-version-check --require-hashes -r bench/requirements.txt
	@touch $@

bench: $(VENV)/.installed $(VENV)-bench/.installed  ## what a dispatch costs, beside a clone and a peer; ARGS=--quick
	@$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.installed  ## ruff, mypy --strict and the import layers
	@$(BIN)/ruff check bot bench tests
	@$(BIN)/ruff format --check --quiet bot bench tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config pyproject.toml

format: $(VENV)/.installed  ## let ruff format and fix what it can
	@$(BIN)/ruff check --fix-only --quiet bot bench tests
	@$(BIN)/ruff format --quiet bot bench tests

lock: $(VENV)/.installed  ## write the lock files anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@$(LOCK) --all-extras $(ARGS) pyproject.toml -o requirements.lock
	@$(LOCK) --constraint requirements.lock pyproject.toml -o requirements-image.lock
	@echo flit_core | $(LOCK) --constraint requirements.lock --extra sandbox pyproject.toml - -o requirements-action.lock

clean:  ## remove the virtual environment and caches
	@rm -rf $(VENV) $(VENV)-bench $(VENV)-node $(EMULATE)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
