"""Neighbours among a fold's held-out compounds, in every code and by every control, and what they share."""

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import ConfigError, first_few
from dssl.settings.evaluation import EvaluateRetrievalSettings
from dssl.steps.disentanglement import IDENTIFIERS

if TYPE_CHECKING:
    from dssl.evaluation.enrichment import Neighbors

logger = logging.getLogger(__name__)
ACROSS = "phenotype_to_molecule"
Vectors = NDArray[np.float32]


class Sides(NamedTuple):
    """Vectors of the same compounds: of their phenotypes, of their molecules, and whether both are comparable."""

    phenotype: Vectors | None
    molecule: Vectors | None
    comparable: bool = True


def score_neighbors(
    methods: Mapping[str, Sides],
    obs: pd.DataFrame,
    original: list[str],
    fold: str,
    settings: EvaluateRetrievalSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How often the nearest held-out compounds share an annotation, and how often they would by chance.

    Neighbours are sought among the annotated held-out compounds in three spaces: phenotypes near phenotypes, molecules
    near molecules, and molecules near phenotypes.

    Parameters
    ----------
    methods : vectors of every method, rows in the order of `obs`.
    obs : of the held-out compounds, with the annotated columns.
    original : their compound_id.

    Returns
    -------
    rates, null : DataFrame
        What `dssl.evaluation.enrichment.summarize_neighbors` takes.
    """
    from dssl.evaluation.enrichment import (
        neighbor_rates,
        permuted_sharing,
        sharing_matrix,
        usable,
        value_sets,
    )

    rng = np.random.default_rng(settings.seed)
    rates, nulls = [], []
    for column in annotation_columns(obs, settings.neighbor_columns):
        values = value_sets(obs[column])
        rows = usable(values)
        if not len(rows):
            logger.info("neighbours: no two held-out compounds of fold %s share a value of %s; left out", fold, column)
            continue
        shared = sharing_matrix([values[row] for row in rows])
        orders = rng.permuted(np.tile(np.arange(len(rows)), (settings.n_permutations, 1)), axis=1)
        for space, method, found in _neighbors(methods, rows, settings.n_neighbors):
            labels = {"fold": fold, "space": space, "column": column, "method": method}
            table = neighbor_rates(found, shared).assign(
                **labels, **{keys.COMPOUND_ID: [original[row] for row in rows]}
            )
            rates.append(table.assign(n_neighbors=min(settings.n_neighbors, len(rows) - 1)))
            permuted = permuted_sharing(found, shared, orders)
            nulls.append(pd.DataFrame({**labels, "permutation": np.arange(len(orders)), "sharing": permuted}))
    if not rates:
        named_by = ["fold", "space", "column", "method"]
        return (
            pd.DataFrame(columns=[*named_by, keys.COMPOUND_ID, "sharing", "expected", "others", "n_neighbors"]),
            pd.DataFrame(columns=[*named_by, "permutation", "sharing"]),
        )
    return pd.concat(rates, ignore_index=True), pd.concat(nulls, ignore_index=True)


def annotation_columns(obs: pd.DataFrame, named: list[str] | None) -> list[str]:
    """Columns whose values neighbours may share: those named, or every text column that is no identifier.

    Raises
    ------
    ConfigError
        If a named column does not exist.
    """
    unknown = [column for column in named or [] if column not in obs.columns]
    if unknown:
        raise ConfigError(
            f"evaluate_retrieval.neighbor_columns: the molecules have no column {', '.join(map(repr, unknown))}; they "
            f"have {first_few(obs.columns, 12)}\nCorrect the name, or add the column to molecules.keep."
        )
    if named is not None:
        return named
    texts = [column for column in obs.columns if not pd.api.types.is_numeric_dtype(obs[column].dtype)]
    return [column for column in texts if column not in IDENTIFIERS and not column.startswith("inchi")]


def _neighbors(methods: Mapping[str, Sides], rows: NDArray[np.intp], k: int) -> Iterator[tuple[str, str, "Neighbors"]]:
    from dssl.evaluation.enrichment import nearest
    from dssl.evaluation.retrieval import unit_rows

    for method, sides in methods.items():
        units = {
            name: unit_rows(vectors[rows])
            for name, vectors in ((keys.PHENOTYPE, sides.phenotype), (keys.MOLECULE, sides.molecule))
            if vectors is not None
        }
        for name, vectors in units.items():
            yield name, method, nearest(vectors, vectors, k)
        if sides.comparable and len(units) == len(keys.MODALITIES):
            yield ACROSS, method, nearest(units[keys.PHENOTYPE], units[keys.MOLECULE], k)
