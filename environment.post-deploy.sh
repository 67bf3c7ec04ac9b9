#!/usr/bin/env bash
# `snakemake --sdm conda` runs this in the environment that it has just made, from the repository's root: dssl itself
set -euo pipefail
python -m pip install --no-deps --editable .
