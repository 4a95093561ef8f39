# `make demo` runs an experiment, `make test` runs every check. Each sets up .venv first; nothing else is needed but Python and make.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	command -v $(name) >/dev/null && $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_ARGS ?= -n 2 --dist loadscope --no-loadscope-reorder --durations=20

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help
help: ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: $(READY) ## Train LeNet on scikit-learn's digits, which needs no download
	$(BIN)/plx data digits
	$(BIN)/plx run examples/lenet_digits.yml

.PHONY: test
test: $(READY) ## Run every check: lint, format, types, docs, tests
	@failed=; \
	for check in lint format-check "types docs" unit; do \
		echo "== make $$check"; \
		$(MAKE) --no-print-directory --keep-going -j2 $$check || failed="$$failed $$check"; \
	done; \
	if [ -n "$$failed" ]; then echo "make test: FAILED:$$failed" >&2; exit 1; fi; \
	echo "make test: all checks passed"

.PHONY: lint
lint: $(READY) ## Look for mistakes with ruff, and for imports that go the wrong way
	$(BIN)/ruff check
	$(BIN)/lint-imports

.PHONY: format-check
format-check: $(READY) ## Check the layout of the code
	$(BIN)/ruff format --check

.PHONY: format
format: $(READY) ## Lay out the code, and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: types
types: $(READY) ## Check the types of the four packages with mypy --strict
	$(BIN)/mypy

.PHONY: unit
unit: $(READY) ## Run the tests; PYTEST_ARGS='-k name' chooses
	$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: test-alone
test-alone: $(READY) ## Run the tests of each package where it and plx_core alone are installed
	PLX_TEST_ALONE=1 $(BIN)/pytest -o faulthandler_timeout=1800 tests/install/test_wheels.py -k own_tests

.PHONY: docs
docs: $(READY) ## Build the docs in docs/_build/html; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

.PHONY: bench
bench: $(READY) .venv-peers/.ready ## Measure plx against what else there is, half an hour: benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py

.PHONY: bench-quick
bench-quick: $(READY) .venv-peers/.ready ## The same with less work, a few minutes
	$(BIN)/python benchmarks/run.py --quick --turns 1

.venv-peers/.ready: benchmarks/peers.txt
	@echo "setting up .venv-peers (PyTorch, Stable-Baselines3 and SBX)"
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/pip install --quiet -r benchmarks/peers.txt
	@touch $@

.PHONY: links
links: $(READY) ## Ask every address in the docs whether it is there; this needs the network
	$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/links

.PHONY: constraints
constraints: ## Resolve the newest versions of everything, and pin them in constraints.txt
	$(PYTHON) -m venv --clear .venv-constraints
	.venv-constraints/bin/pip install --quiet hatchling editables setuptools
	.venv-constraints/bin/pip install --quiet --no-build-isolation -r requirements-dev.txt
	.venv-constraints/bin/pip freeze --exclude-editable > constraints.txt
	rm -rf .venv-constraints

.PHONY: clean
clean: ## Remove .venv, caches and built files; data and runs stay
	rm -rf $(VENV) .venv-constraints .venv-peers .mypy_cache .pytest_cache .ruff_cache .hypothesis docs/_build docs/reference docs/diagrams
	find plx_* tests examples benchmarks docs -type d \( -name __pycache__ -o -name build -o -name dist \) -prune -exec rm -rf {} +

# The build backend comes first, so that the four packages are built with the pinned one and not each in an environment of its own.
$(READY): constraints.txt requirements-dev.txt $(wildcard plx_*/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "plx needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV) (a few minutes when TensorFlow has to be downloaded)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --constraint constraints.txt hatchling editables setuptools
	@$(BIN)/pip install --quiet --constraint constraints.txt --no-build-isolation -r requirements-dev.txt
	@touch $@
