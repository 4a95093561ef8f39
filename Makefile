# `make demo` runs an experiment, `make test` runs every check. Each target sets up .venv when it is
# needed; Python and make are the only requirements.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	command -v $(name) >/dev/null \
	&& $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $(name))))
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PACKAGES := plx_core plx_layers plx_rl plx_pipelines plx_scale
PYTEST_ARGS ?= -n 2 --dist loadscope --no-loadscope-reorder --durations=20

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) \
	| while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: $(READY) ## Train LeNet on scikit-learn's digits; no download
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

.PHONY: test-quick
test-quick: $(READY) ## Run lint, types and the quick tests, in about a minute
	@$(MAKE) --no-print-directory -j2 lint format-check types
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow" @tests/quick.txt

.PHONY: lint
lint: $(READY) ## Check the code with ruff, and the direction of imports
	$(BIN)/ruff check
	$(BIN)/lint-imports

.PHONY: format-check
format-check: $(READY) ## Check the formatting of the code
	$(BIN)/ruff format --check

.PHONY: format
format: $(READY) ## Format the code, and fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: types
types: $(READY) ## Check the types with mypy --strict
	$(BIN)/mypy

.PHONY: unit
unit: $(READY) ## Run the tests, or some: PYTEST_ARGS='-k name'
	$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: mutations
mutations: $(READY) ## Check 5,000 configs with random mistakes, in about ten minutes
	PLX_TEST_MUTATIONS=5000 $(BIN)/pytest $(PYTEST_ARGS) tests/together/test_mutated_configs.py

.PHONY: test-alone
test-alone: $(READY) ## Run each package's tests with only it and plx_core installed
	PLX_TEST_ALONE=1 $(BIN)/pytest -o faulthandler_timeout=1800 \
		tests/install/test_wheels.py -k own_tests

.PHONY: coverage
coverage: $(READY) ## Run the tests with coverage; the report is in htmlcov
	rm -rf .coverage .coverage.* htmlcov
	$(BIN)/pytest $(PYTEST_ARGS) --cov --cov-report= --cov-fail-under=0
	@$(BIN)/coverage combine --quiet --append || true # of processes that outlived pytest
	$(BIN)/coverage html --quiet --fail-under=0
	$(BIN)/coverage report

.PHONY: wheels
wheels: $(READY) ## Build the wheel and the sdist of each package in dist
	rm -rf dist
	@set -e; for package in $(PACKAGES); do \
		(cd $$package && $(abspath $(BIN))/python -m hatchling build --directory ../dist); \
	done

.PHONY: docs
docs: $(READY) ## Build the docs in docs/_build/html; warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

.PHONY: bench
bench: $(READY) .venv-peers/.ready ## Compare plx with its peers, for half an hour: RESULTS.md
	$(BIN)/python benchmarks/run.py

.PHONY: bench-quick
bench-quick: $(READY) .venv-peers/.ready ## The same with less work, in a few minutes
	$(BIN)/python benchmarks/run.py --quick --turns 1

.venv-peers/.ready: benchmarks/peers.txt
	@echo "setting up .venv-peers (PyTorch, Stable-Baselines3 and SBX)"
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/pip install --quiet -r benchmarks/peers.txt
	@touch $@

.PHONY: links
links: $(READY) ## Check the links in the docs; needs the network
	$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/links

.PHONY: constraints
constraints: ## Pin the newest versions of everything in constraints.txt
	$(PYTHON) -m venv --clear .venv-constraints
	.venv-constraints/bin/pip install --quiet hatchling editables setuptools
	.venv-constraints/bin/pip install --quiet --no-build-isolation -r requirements-dev.txt
	.venv-constraints/bin/pip freeze --exclude-editable > constraints.txt
	rm -rf .venv-constraints

.PHONY: clean
clean: ## Remove .venv, caches and build output; keep data and runs
	rm -rf $(VENV) .venv-constraints .venv-peers
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov dist
	rm -rf docs/_build docs/reference docs/diagrams
	find plx_* tests examples benchmarks docs -type d \
		\( -name __pycache__ -o -name build -o -name dist \) -prune -exec rm -rf {} +

# The build backend comes first, so that the packages are built with the pinned version of it,
# and not each in an isolated environment.
$(READY): constraints.txt requirements-dev.txt $(wildcard plx_*/pyproject.toml)
	@test -n "$(PYTHON)" \
	|| { echo "plx needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV) (a few minutes when TensorFlow has to be downloaded)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --constraint constraints.txt hatchling editables setuptools
	@$(BIN)/pip install --quiet --constraint constraints.txt --no-build-isolation \
		-r requirements-dev.txt
	@touch $@
