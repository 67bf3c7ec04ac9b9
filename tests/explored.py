"""Made-up screens for the tests of the explorer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.report.explorer.content import Code, Nearest, Retrieval, explorer_content
from dssl.report.explorer.counterfactuals import counterfactuals
from dssl.training.counterfactuals import STRUCTURE, TRANSFER
from tests.predicted import comparison_rows, group_rows, summary_rows

SMILES = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "C[C@H](N)C(=O)O",
    "c1ccc2[nH]ccc2c1",
    "OCC1CCCCN1",
    "O=[N+]([O-])c1ccc(Cl)cc1",
    "FC(F)(F)c1ccc(NC(=O)N2CCOCC2)cc1",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
)
CELLS = [(compartment, channel) for compartment in ("Cells", "Nuclei") for channel in ("DNA", "ER", "Mito")]


def explored(
    n: int, seed: int = 0, k: int = 8, n_mechanisms: int = 12, other: str = "molecule", smiles: Sequence[str] = SMILES
) -> dict[str, Any]:
    """Content of the page of n compounds: three groups on every map, half of the compounds held out in each fold."""
    rng = np.random.default_rng(seed)
    table = compound_table(n, rng, n_mechanisms, smiles)
    wells = pd.DataFrame(
        {
            keys.COMPOUND_ID: np.repeat(table[keys.COMPOUND_ID], 4).to_numpy(),
            keys.PLATE: [f"plate{number % 40:02d}" for number in range(4 * n)],
            keys.WELL: [f"{'ABCDEFGH'[number % 8]}{number % 12 + 1:02d}" for number in range(4 * n)],
            keys.DOSE_UM: np.tile([1.0, 10.0], 2 * n),
            keys.CELL_COUNT: rng.integers(200, 3000, 4 * n).astype(float),
        }
    )
    var = pd.DataFrame(
        [pair for pair in CELLS for _ in range(2)],
        columns=[keys.COMPARTMENT, keys.CHANNEL],
        index=[f"feature {number}" for number in range(2 * len(CELLS))],
    )
    about = {
        "title": "A made-up screen",
        "screen": "made-up",
        "version": "0",
        "simulated": True,
        "fold": "full",
        "other": other,
        "label": "mechanism",
    }
    sides = [(code, side) for code in ("shared", "specific") for side in (keys.PHENOTYPE, other)]
    codes = [Code(code, side, three_groups(n, rng), nearest(n, k, rng)) for code, side in sides]
    retrievals = [
        Retrieval(way, nearest(n, k, rng), rng.uniform(-1, 1, n))
        for way in ("phenotype_to_molecule", "molecule_to_phenotype")
    ]
    tasks = [TRANSFER, STRUCTURE]
    held_out = list(table[keys.COMPOUND_ID][::2])
    groups = group_rows(held_out, [", ".join(pair) for pair in CELLS], tasks)
    ids = pd.Index(table[keys.COMPOUND_ID])
    tests = comparison_rows(tasks, -0.05, 0.001)
    tests.loc[tests["task"] == STRUCTURE, "difference"] *= -1
    predicted = counterfactuals(groups, summary_rows(tasks), tests, ids, 2, other)
    return explorer_content(
        about, table, [], codes, retrievals, wells, rng.normal(size=(4 * n, len(var))), var, predicted
    )


def compound_table(n: int, rng: np.random.Generator, n_mechanisms: int, smiles: Sequence[str]) -> pd.DataFrame:
    ranks = rng.integers(1, max(2, n // 2 + 1), (2, n)).astype(float)
    names = [f"compound {number}" for number in range(n)]
    mechanisms = np.array([f"mechanism {number % n_mechanisms}" for number in range(n)], dtype=object)
    return pd.DataFrame(
        {
            keys.COMPOUND_ID: [f"C{number:05d}" for number in range(n)],
            keys.NAME: names,
            keys.SMILES: [smiles[number % len(smiles)] for number in range(n)],
            "mechanism": mechanisms,
            keys.N_WELLS: 4,
            keys.DOSES_UM: "1;10",
            keys.CELL_COUNT: rng.uniform(200, 3000, n),
            keys.ACTIVE: pd.array(rng.random(n) < 0.6, dtype="boolean"),
            keys.FOLD: [str(number % 2) for number in range(n)],
            keys.LIBRARY_SIZE: float(max(1, n // 2)),
            keys.CHANCE_RANK: (max(1, n // 2) + 1) / 2,
            keys.RANK_PHENOTYPE_TO_MOLECULE: ranks[0],
            keys.PERCENTILE_PHENOTYPE_TO_MOLECULE: 1 - (ranks[0] - 1) / max(1, n // 2),
            keys.RANK_MOLECULE_TO_PHENOTYPE: ranks[1],
            keys.PERCENTILE_MOLECULE_TO_PHENOTYPE: 1 - (ranks[1] - 1) / max(1, n // 2),
            keys.SEEN_IN_HANDOVER_MODEL: pd.array(np.arange(n) % 5 > 0, dtype="boolean"),
            keys.PRIORITY: np.arange(1, n + 1),
        }
    )


def three_groups(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.normal(size=(n, 2)) + np.array([[0, 0], [8, 0], [0, 8]])[np.arange(n) % 3]


def nearest(n: int, k: int, rng: np.random.Generator) -> Nearest:
    """Others at random, never a compound itself; fewer than k where there are fewer."""
    k = min(k, n - 1)
    steps = np.sort(rng.integers(1, max(2, n), (n, k)), axis=1)
    return Nearest((np.arange(n)[:, None] + steps) % n, -np.sort(-rng.uniform(0, 1, (n, k)), axis=1))
