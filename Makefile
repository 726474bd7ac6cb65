# Loupe. Every target can be run again at any time; only the package indexes are needed.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: run test check format bench shots data results train-digits train-fashion gpu clean
.DEFAULT_GOAL := run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Loupe needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/run: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt into $(VENV) ..."
	@mkdir -p $(STAMPS)
	$(PIP) torch==$(shell sed -n 's/^torch==//p' requirements.txt)
	$(PIP) -r requirements.txt
	@touch $@

$(STAMPS)/dev: requirements-dev.txt $(STAMPS)/run
	@echo "Installing requirements-dev.txt into $(VENV) ..."
	$(PIP) -r requirements-dev.txt
	@touch $@

# Tests drive a real browser: Debian's Chromium, installed when it is missing.
$(STAMPS)/chromium:
	@mkdir -p $(STAMPS)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	@touch $@

run: $(STAMPS)/run  ## start the app on http://127.0.0.1:8050 (HOST, PORT)
	@exec $(BIN)/python app.py

test: $(STAMPS)/dev $(STAMPS)/chromium  ## every test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(STAMPS)/dev  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/contract/test_layers.py

format: $(STAMPS)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMPS)/dev  ## measured ratios, one table
	$(BIN)/python -m benchmarks

shots: $(STAMPS)/dev $(STAMPS)/chromium  ## a screenshot of every page in each size and theme
	$(BIN)/python -m tests.browser.shots

clean:
	rm -rf $(VENV) $(STAMPS)
