"""Whether codes find their partner across modalities, in words and as a table."""

import pandas as pd

from dssl.evaluation.leakage import ALIGNED
from dssl.report.content import Cell, Table, number
from dssl.report.retrieval_tables import SIGNIFICANT, direction_name


def leakage_sentence(leakage: pd.DataFrame) -> str:
    """What the aligned specific codes give away, beside the shared codes."""
    aligned = leakage[leakage["alignment"] == ALIGNED]
    specific, shared = (aligned[aligned["code"] == code] for code in ("specific", "shared"))
    above = int((specific["p_value"] < SIGNIFICANT).sum())
    start = (
        f"The separation: matched to each other by a linear map, the specific codes of phenotype and molecule find each "
        f"other with a mean reciprocal rank of {number(specific['mrr'].mean())} (chance {number(specific['chance'].mean())}; "
        f"shared codes: {number(shared['mrr'].mean())})"
    )
    if above:
        return f"{start}, above chance (p < {SIGNIFICANT:g}) in {above} of {len(specific)} folds and directions."
    return f"{start}, in no fold and direction above chance (p < {SIGNIFICANT:g})."


def leakage_table(leakage: pd.DataFrame) -> Table:
    """Mean reciprocal ranks of every kind of code, means over folds."""
    rows = []
    for (code, alignment, direction), lines in leakage.groupby(["code", "alignment", "direction"], sort=False):
        spread = f"{number(lines['mrr'].min())} to {number(lines['mrr'].max())}" if len(lines) > 1 else ""
        significant = int((lines["p_value"] < SIGNIFICANT).sum())
        rows.append(
            [
                Cell(str(code)),
                Cell(str(alignment)),
                Cell(direction_name(str(direction))),
                Cell(number(lines["mrr"].mean()), spread),
                Cell(number(lines["chance"].mean())),
                Cell(f"{significant} of {len(lines)}"),
                Cell(f"{lines['n_compounds'].mean():.0f}"),
            ]
        )
    caption = (
        "Retrieval across modalities by drawn codes of held-out compounds: mean reciprocal rank, means over folds "
        "(below: lowest to highest), permutation p-values. raw: cosine of the codes as they are, which says nothing of "
        "specific codes, whose two spaces are unrelated; aligned: the phenotype's code is first mapped to the "
        "molecule's by ridge regression on training compounds. Specific codes should be at chance in both, shared "
        "codes well above it."
    )
    columns = ["code", "alignment", "direction", "MRR", "chance", "p < 0.05 in folds", "compounds"]
    return Table(caption, columns, rows, n_labels=3, folded=True)
