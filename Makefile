# `make run` starts the product, `make test` proves it; `make help` lists the rest.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
STAMP := .venv/.installed-$(shell cat requirements/dev.txt requirements/tools.txt 2>/dev/null | sha256sum | cut -c1-16)

# What generates and plays the clients: in an environment of its own, so that `make run` needs none of it.
LOCKED := requirements/contract.txt tests/contract/clients/typescript/package-lock.json
CONTRACT := .venv-contract/.installed-$(shell cat $(LOCKED) 2>/dev/null | sha256sum | cut -c1-16)

.DEFAULT_GOAL := help

# Compiled modules are kept, whatever the machine's environment says: without them every start takes three times as long.
export PYTHONDONTWRITEBYTECODE =

UV := .venv-tools/bin/uv
COMPILE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Auterity needs Python 3.11, 3.12 or 3.13; say which with: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv .venv-tools >/dev/null 2>&1 \
	  || { rm -rf .venv-tools; echo "This Python cannot make virtual environments. On Debian: apt-get install python3-venv"; exit 1; }
	@.venv-tools/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/tools.txt

$(STAMP): | $(UV)
	@echo "Setting up the environment (once) ..."
	@test -x $(BIN)/python || UV_PYTHON_DOWNLOADS=never $(UV) venv -q --python $(PYTHON) .venv
	@VIRTUAL_ENV=.venv $(UV) pip sync -q --require-hashes requirements/dev.txt
	@rm -f .venv/.installed-* && touch $@

.PHONY: setup
setup: $(STAMP) ## Create the environment

.PHONY: lock
lock: | $(UV) ## Resolve the dependencies anew into requirements/*.txt
	@echo 'uv==0.13.*' | $(COMPILE) -o requirements/tools.txt -
	@$(COMPILE) pyproject.toml -o requirements/runtime.txt
	@$(COMPILE) pyproject.toml --group dev -o requirements/dev.txt
	@$(COMPILE) --group services -o requirements/services.txt
	@$(COMPILE) --group contract -o requirements/contract.txt
	@$(COMPILE) --group audit -o requirements/audit.txt

$(CONTRACT): | $(UV)
	@echo "Setting up the client generators and Schemathesis (once) ..."
	@test -x .venv-contract/bin/python || UV_PYTHON_DOWNLOADS=never $(UV) venv -q --python $(PYTHON) .venv-contract
	@VIRTUAL_ENV=.venv-contract $(UV) pip sync -q --require-hashes requirements/contract.txt
	@.venv-contract/bin/python scripts/clients.py install
	@rm -f .venv-contract/.installed-* && touch $@

.PHONY: contract
contract: $(CONTRACT)

# Without a network the tests that need it are skipped and say so; where CI is set, that is a failure.
WITH_CONTRACT = $(MAKE) -s contract || { test -z "$$CI" && echo "No client generators and no Schemathesis: their tests are skipped."; }

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: run
run: setup ## Start the product embedded, with a demo on the first start (PORT=8000)
	@PORT=$(PORT) $(BIN)/python manage.py start

.PHONY: services
services: setup ## Start the product with PostgreSQL, Redis, two Celery workers and beat
	@PORT=$(PORT) $(BIN)/python scripts/services.py stack

# What fails among thousands of tests that kill processes and wait for leases on two busy cores is tried once more, and named.
PYTEST = $(BIN)/python -m pytest -n 2 --reruns 1 -rfER

.PHONY: test
test: setup ## Run all tests but the load gates, embedded (SQLite, no services)
	@$(WITH_CONTRACT)
	@$(PYTEST) -m "not load"

# Where PostgreSQL and Redis behave otherwise than what is embedded; everything runs embedded.
ON_SERVICES = accounts audit executions identity load notifications privacy security vault workflows

.PHONY: test-services
test-services: setup ## Run what a database matters to, and the gates, on PostgreSQL and Redis, started when absent
	@$(BIN)/python scripts/services.py run $(PYTEST) $(addprefix tests/,$(ON_SERVICES))

.PHONY: check
check: setup ## Formatting, lint, types, import layers, migrations, OpenAPI
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy .
	@$(BIN)/python manage.py check
	@$(BIN)/python manage.py makemigrations --check --dry-run

DIALECTS = auterity business orchestrator workflow_engine

.PHONY: openapi
openapi: setup ## Write docs/openapi anew, one document a dialect
	@for dialect in $(DIALECTS); do \
	  $(BIN)/python manage.py spectacular --format openapi-json --validate --fail-on-warn \
	    --urlconf api.$$dialect.urls --file docs/openapi/$$dialect.json || exit 1; \
	done

.PHONY: clients
clients: $(CONTRACT) ## Generate the Python and TypeScript clients into build/clients
	@.venv-contract/bin/python scripts/clients.py

.PHONY: fuzz
fuzz: setup contract ## Schemathesis over all dialects in three roles, the long form (FUZZ=100 cases an operation)
	@AUTERITY_FUZZ=$(or $(FUZZ),100) $(BIN)/python -m pytest tests/contract/test_schema.py --timeout 7200 -s

.PHONY: audit
audit: | $(UV) ## Known vulnerabilities among everything that is pinned (needs the network)
	@test -x .venv-audit/bin/python || UV_PYTHON_DOWNLOADS=never $(UV) venv -q --python $(PYTHON) .venv-audit
	@VIRTUAL_ENV=.venv-audit $(UV) pip sync -q --require-hashes requirements/audit.txt
	@for file in requirements/*.txt; do \
	  .venv-audit/bin/pip-audit --disable-pip --require-hashes --progress-spinner off -r $$file || exit 1; \
	done

.PHONY: bench
bench: setup ## Executions per second beside the machine's own limits
	@$(BIN)/python scripts/services.py run $(BIN)/python -m tests.load.bench

.PHONY: bench-peers
bench-peers: setup ## The same beside n8n, DBOS and Prefect, installed on first use (2 GB)
	@$(BIN)/python scripts/services.py run $(BIN)/python -m tests.load.bench --peers

.PHONY: gates
gates: setup ## The gates of durability and security in full, one JSON line each (about an hour)
	@for gate in tests/load/g[0-9]*.py; do \
	  $(BIN)/python scripts/services.py run $(BIN)/python -m tests.load.$$(basename $$gate .py) || exit 1; \
	done

.PHONY: clean
clean: ## Remove the environment and the embedded data
	@rm -rf .venv .venv-tools .venv-contract .venv-audit .data build
