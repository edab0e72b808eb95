# Every habit of this house as a verb. Bare `make` lists them.

# The first Python that is new enough and really runs.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ROUNDS ?= 100
INCIDENTS ?= 10000
KILLS ?= 20
PYTEST ?= $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check lint types bench bench-replay crash goldens rules lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## a virtual environment in .venv with everything, from the hashed lock

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || \
		{ echo "tocsin needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "python3 -m venv does not work here; on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

run: setup ## start the service with the example rules and fleet on 127.0.0.1:9765
	@exec $(BIN)/tocsin serve --config config/tocsin.yaml

demo: setup ## send the seed documents' alert to the running service and show its ticket
	@$(BIN)/tocsin demo --config config/tocsin.yaml

test: setup ## all tests
	$(PYTEST)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

check: lint types test ## lint, types and tests: what CI runs

bench: setup ## measure beside Alertmanager (Debian: apt install prometheus-alertmanager); prints a table
	@$(BIN)/python tests/bench $(ARGS)

bench-replay: setup ## how long a replay of a million alerts takes, and how much memory
	@$(BIN)/python tests/bench/past.py $(ARGS)

bench-sources: setup ## what a message of each kind of source costs to read
	@$(BIN)/python tests/bench/parsing.py

crash: setup ## kill the real service again and again under load: nothing lost, nothing doubled
	$(PYTEST) tests/crash -n 0 -p no:randomly -rP --crash-rounds $(ROUNDS) \
		--soak-incidents $(INCIDENTS) --soak-kills $(KILLS) --timeout 3600

goldens: setup ## write expected results and generated files anew; read the diff before committing
	$(PYTEST) tests/test_sources.py tests/test_backends.py tests/test_transcripts.py tests/test_check.py --update-goldens -n 0
	@for what in rules table fleet settings redaction; do $(BIN)/tocsin schema $$what > config/$$what.schema.json; done

rules: setup ## check the rules in rules/ with their own tests
	@$(BIN)/tocsin check --config config/tocsin.yaml

lock: setup ## bring requirements.lock up to date (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-strip-extras \
		--group dev pyproject.toml --upgrade --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
