# make train       set up .venv, train the baseline, test it
# make test        set up .venv, run the quick tests, on up to four cores
# make test-slow   set up .venv, run the other tests; before a release: CRASH_SECONDS=3600 make test-slow
# make test-all    set up .venv, run all tests, with coverage
# make lint        ruff and mypy
# make docs        build the documentation as a site in site/
# make web         build the page in the browser (npm), for 'emotion serve' and 'emotion export --web'
# make reproduce   train the shipped model again from FER-2013 with FER+'s votes, and test it (hours;
#                  it says how many; make reproduce ARGS="--trial 64" tries every step in minutes)
# make clean       remove .venv
#
# DATA is where FER-2013 and fer2013new.csv lie (make reproduce; by default what is in data/).
# ARGS goes to train.py (make train ARGS="--data faces/") or reproduce.py, PIP_ARGS to pip, PYTHON is
# the Python that .venv is made with.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
DATA ?= fer2013
PIP_ARGS ?=
PYTEST_ARGS ?=
BIN = $(VENV)/bin

.PHONY: help train test test-slow test-all lint docs web reproduce clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed '/^$$/q'

train: $(VENV)/.train
	@echo "== train: python train.py $(ARGS)"
	@$(BIN)/python train.py $(ARGS) > $(VENV)/train.txt || { code=$$?; cat $(VENV)/train.txt; exit $$code; }
	@cat $(VENV)/train.txt
	@run=$$(sed -n 's/^run: //p' $(VENV)/train.txt) && \
	  echo "== test: python test.py --model $$run" && \
	  $(BIN)/python test.py --model "$$run"

test: $(VENV)/.dev
	@echo "== quick tests (make test-all runs the slow ones too)"
	@$(BIN)/python -m pytest -q -m "not slow" -n auto --maxprocesses 4 --dist worksteal $(PYTEST_ARGS)

test-slow: $(VENV)/.dev
	@echo "== slow tests (make test runs the others)"
	@$(BIN)/python -m pytest -q -m slow $(PYTEST_ARGS)

test-all: $(VENV)/.dev
	@echo "== all tests, with coverage"
	@$(BIN)/python -m pytest -q --hypothesis-profile=full --cov --cov-report=term --cov-fail-under=90 $(PYTEST_ARGS)

lint: $(VENV)/.dev
	@echo "== ruff and mypy"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(VENV)/.dev
	@$(BIN)/mkdocs --version > /dev/null 2>&1 || $(BIN)/python -m pip install --progress-bar off $(PIP_ARGS) -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "the site is in site/: open site/index.html"

web:
	@command -v npm > /dev/null || { echo "npm is missing: install Node.js 20.19 or newer"; exit 2; }
	cd web && npm ci --no-audit --no-fund && npm run build

reproduce: $(VENV)/.train
	$(BIN)/python -m benchmarks.release.reproduce --data $(DATA) $(ARGS)

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; make PYTHON=python3.12 names another one"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv is missing; on Debian or Ubuntu: sudo apt install python3-venv"; exit 2; }
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.train: $(BIN)/python pyproject.toml
	@echo "== installing PyTorch and what training needs into $(VENV) (some GB, a few minutes)"
	@$(BIN)/python -m pip install --progress-bar off $(PIP_ARGS) -e '.[train]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	@echo "== installing PyTorch and what the tests need into $(VENV) (some GB, a few minutes)"
	@$(BIN)/python -m pip install --progress-bar off $(PIP_ARGS) -e '.[dev]'
	@touch $@ $(VENV)/.train
