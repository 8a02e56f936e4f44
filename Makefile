# What people type. Every target says what it runs, so that it can be typed by hand.

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help env repro test lint clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

env: $(VENV)/.done  ## create .venv with every package at its pinned version

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

repro: env  ## run the pipeline, print the figures and what to do next
	dvc repro
	@echo
	@twotower table
	@echo
	@echo "Next:  source $(VENV)/bin/activate"
	@echo "       twotower search \"how many people live in ...\"    search the passages"
	@echo "       dvc exp run -S train.margin=0.5                  try another parameter"
	@echo "       dvc metrics diff                                 compare it"
	@echo "       mlflow ui --backend-store-uri sqlite:///mlflow.db    look at every run"

test: env  ## lint, type check, check dvc.lock, run every test
	ruff check .
	ruff format --check .
	mypy
	dvc repro --dry --allow-missing
	pytest

lint: env  ## mend what ruff can mend, then check types
	ruff check --fix .
	ruff format .
	mypy

clean:  ## remove the environment and caches of tools; data and runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
