# Everything runs in .venv, which the targets make themselves. `make` alone lists them.

.SHELLFLAGS := -ec
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# The first Python on the path that is new enough; `make PYTHON=/path/to/python test` takes another.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
# The pins are complete, so that pip need not resolve anything: left to itself it may look at a release that is newer than
# the pin, find no hash for it, and give up.
PIP_INSTALL_PINNED := $(PIP_INSTALL) --no-deps --require-hashes
PYTEST_WORKERS ?= auto
UPGRADE ?=

# What is installed follows from these files alone; when one changes, the next command installs anew.
REQUIREMENTS := $(VENV)/.requirements-installed
RUNTIME := $(VENV)/.runtime-installed
CHECKS := $(VENV)/.checks-installed

heading = @printf '\n== %s ==\n' $(1)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(RUNTIME) ## start a server over sample data, show a report, serve until Ctrl-C
	@$(BIN)/tallystick demo

.PHONY: test
test: lint types unit package ## run every check; CI runs this and nothing else
	$(call heading,"all checks passed")

.PHONY: lint
lint: $(CHECKS) ## formatter and linter
	$(call heading,"format and lint (ruff)")
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

.PHONY: types
types: $(RUNTIME) $(CHECKS) ## strict types
	$(call heading,"types (mypy --strict)")
	@$(BIN)/mypy

.PHONY: browser
browser: $(RUNTIME) $(CHECKS) ## find a Chromium for the tests, or install one
	@$(BIN)/python -m tests.browser

.PHONY: unit
unit: $(RUNTIME) $(CHECKS) browser ## the tests, with branch coverage
	$(call heading,"tests with branch coverage (pytest)")
	@$(BIN)/pytest -n $(PYTEST_WORKERS) --cov --cov-report=term

.PHONY: docs
docs: $(RUNTIME) $(CHECKS) ## build the documentation into site/
	$(call heading,"documentation (mkdocs)")
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

.PHONY: screenshots
screenshots: $(RUNTIME) $(CHECKS) browser ## take the pictures of README and docs from the running demo
	@$(BIN)/python scripts/screenshots.py

SECONDS ?= 600
SEED ?=
.PHONY: soak
soak: $(RUNTIME) $(CHECKS) ## the fault tests in their long form: make soak SECONDS=3600
	$(call heading,"fault tests for $(SECONDS) seconds")
	@$(BIN)/python -m tests.faults.soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: package
package: $(CHECKS) ## build the wheel, install it in clean environments, try it there
	$(call heading,"packaging check")
	@$(BIN)/python scripts/check_package.py

.PHONY: format
format: $(CHECKS) ## format the code and fix what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Pins stay as they are unless a requirement changed; `make lock UPGRADE=--upgrade` moves them all.
COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(UPGRADE)
.PHONY: lock
lock: $(CHECKS) ## pin the requirements anew, from pyproject.toml and requirements/*.in
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) pyproject.toml --extra server -o requirements/server.txt
	$(COMPILE) pyproject.toml -c requirements/server.txt -o requirements/base.txt
	$(COMPILE) requirements/dev.in -c requirements/server.txt -c requirements/build.txt -o requirements/dev.txt

# Not a part of `make test`: the answer changes while the code does not.
.PHONY: audit
audit: $(REQUIREMENTS) ## ask the advisory database about the pinned dependencies
	$(call heading,"known vulnerabilities (pip-audit)")
	@$(PIP_INSTALL) pip-audit
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements/server.txt

.PHONY: clean
clean: ## remove what make made
	rm -rf $(VENV) dist build site htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(REQUIREMENTS): requirements/build.txt requirements/server.txt
	@if [ -z "$(PYTHON)" ]; then echo "Tallystick needs Python 3.11 or newer, and there is none on the path." \
		"Name one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Tallystick needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; exit 1; }
	$(call heading,"installing in $(VENV) (the first time takes a minute)")
	@"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP_INSTALL_PINNED) -r requirements/build.txt -r requirements/server.txt
	@touch $@

$(RUNTIME): $(REQUIREMENTS) pyproject.toml
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(CHECKS): $(REQUIREMENTS) requirements/dev.txt
	@$(PIP_INSTALL_PINNED) -r requirements/dev.txt
	@$(BIN)/python -m pip --disable-pip-version-check check >/dev/null
	@touch $@
