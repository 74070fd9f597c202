# `make demo` and `make test` do all their own set-up in .venv.

PYTHON ?= python3
BIN := .venv/bin
# Folder of real galaxies for the tests and examples that use them; they say so when it
# is not there. The one setting of this project that points outside it.
export ZOOBOT_REAL_DATA ?= ../shared/data

.PHONY: help setup demo test check docs galaxy_zoo_2 benchmark clean

help:
	@echo "make demo          set up, then run the whole workflow on a simulated survey"
	@echo "make test          set up, then check and test everything"
	@echo "make docs          set up, then build the documentation in docs/_build/html"
	@echo "make galaxy_zoo_2  set up, then run on real galaxies in ZOOBOT_REAL_DATA"
	@echo "make benchmark     set up, then measure speed and memory"
	@echo "make setup         only install what is missing, in .venv"
	@echo "make clean         remove the demo's results and the built documentation"

# Redone only when the pinned versions or the project's own file change.
setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or later is needed; set PYTHON=')"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/snakemake --cores all

galaxy_zoo_2: setup
	$(BIN)/snakemake --cores all --directory runs/galaxy_zoo_2 \
	    --configfile examples/galaxy_zoo_2.yaml \
	    --config data_folder=$(abspath $(ZOOBOT_REAL_DATA))/gz2_sample

benchmark: setup
	$(BIN)/python -m benchmarks --write

docs: setup
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

check: setup docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

test: check
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

clean:
	rm -rf results .snakemake docs/_build docs/made
