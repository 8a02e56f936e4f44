# What people type. Every target says what it runs, so that it can be typed by hand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# DVC runs `python` of the environment for each stage.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help env repro test lint clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' Makefile

env: $(VENV)/.done  ## create .venv with every package at its pinned version

$(VENV)/.done: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

repro: env  ## run the pipeline, print the figures and what to do next
	$(BIN)/dvc repro
	@echo
	@$(BIN)/twotower table
	@echo
	@echo 'Next:  source $(BIN)/activate'
	@echo '       twotower search "how many people live in Varnholt"   search the passages'
	@echo '       dvc exp run -S train.margin=0.5                      try another parameter'
	@echo '       dvc metrics diff                                     see what it changed'
	@echo '       mlflow ui --backend-store-uri sqlite:///mlflow.db    look at every run'

test: env  ## lint, check types and dvc.lock, run every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dvc repro --dry --allow-missing
	$(BIN)/pytest

lint: env  ## mend what ruff can mend, then check types
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

clean:  ## remove the environment and the caches of tools; data and runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
