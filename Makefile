# make run    sets up .venv and runs the demonstration screen to results/demo/report.html
# make test   sets up .venv and runs the tests
# make test-slurm   starts a real Slurm on this machine (as root, on Debian) and runs a screen and two faults on it
# make test-faults  the same with every fault and the demonstration screen, and prints the table of faults
# make bench  sets up .venv and times a training step
# make bench-data  sets up .venv and times the preparation of profiles (PLATES=200)
# make bench-retrieval  sets up .venv and times exact ranks in a large library
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
CORES ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: run test test-slurm test-faults bench bench-data bench-retrieval lint docs lock clean

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dssl needs Python 3.11 or newer; name it: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

run: .venv/.ready
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES)

test: .venv/.ready
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest --numprocesses $(CORES)

test-slurm: .venv/.ready
	DSSL_SLURM=1 PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest tests/cluster -m 'not faults'

test-faults: .venv/.ready
	DSSL_SLURM=1 PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest tests/cluster

bench: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.training

bench-data: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.data $(PLATES)

bench-retrieval: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.retrieval

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check workflow
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --lint

# writes what is generated from the settings: the JSON schema and the table of keys in config/README.md
docs: .venv/.ready
	$(BIN)/python -m dssl.settings.document

# resolves the newest versions that work together; torch is named so that pip takes the build meant
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0 --editable '.[dev]'
	(echo "# written by 'make lock': versions that were tested together"; \
	 .venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/') > requirements.lock
	rm -r .venv-lock

clean:
	rm -rf .venv results logs .snakemake
