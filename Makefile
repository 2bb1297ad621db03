# Every target sets up what it needs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup lint format test test_slow demo tensorboard requirements clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export TF_CPP_MIN_LOG_LEVEL ?= 2
export PYTHONDONTWRITEBYTECODE ?= 1

help:  ## List the targets.
	@grep -hE '^[a-z_]+:.*##' Makefile | sed -E 's/^([a-z_]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: $(STAMP)  ## Make the environment (.venv) with the pinned packages.

# The stamp comes last: an environment without one is half made and is made anew.
$(STAMP): requirements.txt scripts/make_venv
	@bash scripts/make_venv "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --require-hashes -r requirements.txt
	touch "$(STAMP)"

lint: setup  ## Check format, lint and types.
	@"$(BIN)/ruff" format --check .
	"$(BIN)/ruff" check .
	"$(BIN)/mypy"

format: setup  ## Bring the code into form.
	@"$(BIN)/ruff" format .
	"$(BIN)/ruff" check --fix .

test: setup  ## Run the fast tests (ARGS="-k name" and the like pass through).
	@"$(BIN)/python" -m pytest $(ARGS)

test_slow: setup  ## Run the tests that take longer.
	@"$(BIN)/python" -m pytest -m slow $(ARGS)

demo: setup  ## Run the whole chain on drawn animals, without a download.
	@rm -rf runs/demo
	for step in tf_explainer.train_performer pipelines.extract_features tf_explainer.train tf_explainer.evaluate
	do
	  printf '\n== python -m %s --flagfile=configs/demo.flags\n' "$$step"
	  "$(BIN)/python" -m "$$step" --flagfile=configs/demo.flags
	done
	printf '\nThe parts, as a picture: runs/demo/parts.png\nThe course of training:  make tensorboard\n'
	printf '                         (or %s/tensorboard --logdir=runs/demo/tensorboard)\n' "$(BIN)"

tensorboard: setup  ## Show the runs in TensorBoard.
	@"$(BIN)/tensorboard" --logdir=runs

requirements: setup  ## Resolve pyproject.toml anew into requirements.txt (needs uv).
	@uv pip compile pyproject.toml --extra gcp --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet --output-file requirements.txt

clean:  ## Remove the environment and caches; runs/ stays.
	@rm -rf "$(VENV)" .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
