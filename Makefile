# Two commands: `make run` talks to you, `make test` checks everything. `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
OLD := sys.version_info < (3, 11)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: .venv help run test lint types imports tests cover chaos soak real fix figures pictures lock bench clean

.venv: # made again where it was left half-made, or by a Python that is too old
	@$(PYTHON) -c 'import sys; sys.exit($(OLD) and "Backscroll needs Python 3.11 or newer, and $(PYTHON) is " \
		+ "%d.%d. Name another one: make PYTHON=python3.11 …" % sys.version_info[:2])'
	@$(PYTHON) -m venv --clear .venv

help: ## Lists these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(BIN)/.run: requirements.lock pyproject.toml
	@$(BIN)/python -c 'import sys, pip; sys.exit($(OLD))' 2>/dev/null || $(MAKE) --no-print-directory .venv
	@echo "Installing what requirements.lock names (about a minute) …"
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/.dev: $(BIN)/.run requirements-dev.lock
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

$(BIN)/.bench: $(BIN)/.dev requirements-bench.lock
	@$(PIP) install --no-deps --require-hashes -r requirements-bench.lock
	@touch $@

$(BIN)/.real: $(BIN)/.dev requirements-real.lock
	@$(PIP) install --no-deps --require-hashes -r requirements-real.lock
	@touch $@

run: $(BIN)/.run ## Runs every configured platform; the console where none is
	@exec $(BIN)/backscroll run

test: lint types imports tests ## Runs all checks: format, lint, types, imports, tests on both databases
	@echo "All is well. Thank you for checking."

lint: $(BIN)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(BIN)/.dev
	$(BIN)/mypy

imports: $(BIN)/.dev
	$(BIN)/lint-imports

SIDE_BY_SIDE := --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
SEALED := tests/core/store tests/core/delivery/test_reconcile.py tests/core/memory/test_quotes.py tests/test_deletions.py \
	tests/test_conversations.py
APART := -k "not five_hundred" tests/core/chores tests/core/store/test_timeouts.py tests/core/store/test_dead.py \
	tests/core/store/test_policies.py tests/bots/program/test_forget.py tests/test_retention.py tests/test_off_the_record.py
tests: $(BIN)/.dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --sealed $(SEALED)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --apart $(APART)

cover: $(BIN)/.dev ## Runs the tests, and says which lines and branches none of them reaches; takes twice as long
	$(BIN)/python -m pytest --cov --cov-report=term

chaos: $(BIN)/.dev ## Breaks everything for MINUTES by SEED, on both databases, and looks at what people see
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR" -m tests.chaos --seed $(or $(SEED),1) --minutes $(or $(MINUTES),5) $(if $(SEALED),--sealed)

soak: $(BIN)/.bench ## A day in an hour: two replicas under load for MINUTES on DATABASE; a table, and soak.png
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR" -m tests.chaos.soak --seed $(or $(SEED),1) --minutes $(or $(MINUTES),60) \
		--database $(or $(DATABASE),postgresql) --plot soak.png

real: $(BIN)/.real ## Talks with a real small model on llama.cpp (130 MB, once), and looks at what people see
	$(BIN)/python -m tests.real $(if $(CONTEXTS),--contexts $(CONTEXTS)) $(if $(STAGE),--stage $(STAGE))
	$(BIN)/python -m tests.real.folds $(if $(TALKS),--talks $(TALKS))

fix: $(BIN)/.dev ## Formats, and mends what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

figures: $(BIN)/.dev ## Says how long the house's parts are, who imports whom, and what one message visits
	$(BIN)/python -m docs.figures

pictures: $(BIN)/.dev ## Draws the README's pictures anew, from conversations that it really holds
	$(BIN)/python -m docs.picture

BENCH ?= window folding latency turns throughput streams memory ageing startup takeover sealing
bench: $(BIN)/.bench ## Measures everything, or BENCH="turns streams"; draws into benchmarks/plots
	@for name in $(BENCH); do $(BIN)/python -m benchmarks.$$name || exit 1; done

lock: $(BIN)/.dev ## Resolves the newest allowed versions into the lock files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --upgrade pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --upgrade -c requirements.lock pyproject.toml --group dev -o requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --upgrade -c requirements.lock -c requirements-dev.lock pyproject.toml --group bench \
		-o requirements-bench.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --upgrade --no-deps --group real -o requirements-real.lock

clean: ## Removes what was made here, but no database
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage build *.egg-info
