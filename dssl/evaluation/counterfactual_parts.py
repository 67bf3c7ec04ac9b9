"""What the profiles of queries are predicted from: codes, inputs, means of references, nearest profiles."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.counterfactual_queries import Queries, Units, mean_of

Floats = NDArray[np.float64]
Decode = Callable[[Floats], Floats]
InputsOf = Callable[[Units, Queries], Floats]
# how the codes of a query, or its prediction, are put together: `transfer_codes`, `base`
SWAP, SHIFT, ABSOLUTE, RELATIVE = "swap", "shift", "absolute", "relative"


def both(units: Units) -> Floats:
    """Shared and specific codes side by side."""
    return np.hstack([units.shared, units.specific])


def transfer_codes(units: Units, queries: Queries, arrangement: str) -> Floats:
    """Codes of the treatment with the cell state of the query's context.

    swap: the treatment's shared code from its other contexts, the mean specific code of the references in the query's
    context. shift: its own specific code, plus the difference of the references' mean specific codes between contexts.
    """
    specific = mean_of(queries.reference, units.specific)
    if arrangement == SHIFT:
        specific += mean_of(queries.source, units.specific) - mean_of(queries.origin, units.specific)
    return np.hstack([mean_of(queries.source, units.shared), specific])


def structure_codes(units: Units, queries: Queries) -> Floats:
    """The molecule's shared code with the mean specific code of the references in the query's context."""
    return np.hstack([units.molecule[queries.own], mean_of(queries.reference, units.specific)])


def residual(units: Units, queries: Queries, reconstruct: Decode) -> Floats:
    """What the codes of the source's profiles leave of them: nothing where there is no source."""
    return mean_of(queries.source, units.profiles - reconstruct(both(units)))


def nearest_profiles(units: Units, queries: Queries, given: Floats, known: Floats) -> Floats:
    """Profile in the context of the reference nearest to what is given, by cosine about the references' mean."""
    found = np.empty((len(queries), units.profiles.shape[1]))
    for row in range(len(queries)):
        references = queries.reference[[row]].indices
        center = known[references].mean(axis=0)
        others = known[references] - center
        length = np.maximum(np.linalg.norm(others, axis=1), 1e-12)
        found[row] = units.profiles[references[np.argmax(others @ (given[row] - center) / length)]]
    return found


def difference(values: Floats, queries: Queries) -> Floats:
    """How the treatment differs from the references in its other contexts."""
    return mean_of(queries.source, values) - mean_of(queries.origin, values)


def transfer_inputs(units: Units, queries: Queries) -> Floats:
    """How what the encoders see of the treatment differs from the references' in its other contexts."""
    return difference(units.inputs, queries)


def structure_inputs(units: Units, queries: Queries) -> Floats:
    """What the encoders see of the molecules."""
    return units.structure[queries.own]


def base(units: Units, queries: Queries, arrangement: str) -> Floats:
    """What is added to a decoded profile: the references' mean, or nothing."""
    reference = mean_of(queries.reference, units.profiles)
    return reference if arrangement == RELATIVE else np.zeros_like(reference)


def compound_weights(queries: Queries) -> Floats:
    """Weights (n,) that sum to one and are the same for every compound."""
    codes = queries.obs[keys.COMPOUND_ID].factorize()[0]
    counts = np.bincount(codes)
    return np.asarray(1 / counts[codes] / len(counts))


def mean_error(queries: Queries, profiles: Floats, predicted: Floats) -> float:
    """Squared error per feature, mean over compounds."""
    return float(compound_weights(queries) @ ((profiles[queries.target] - predicted) ** 2).mean(axis=1))


def relative_targets(units: Units, queries: Queries, arrangement: str) -> Floats:
    """Profiles of the queries, less what `base` will add again."""
    return units.profiles[queries.target] - base(units, queries, arrangement)
