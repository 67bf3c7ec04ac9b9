"""Which mechanisms are found: verdicts and words against counts made here."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from dssl.report.content import Figure, Note, Table
from dssl.report.mechanisms import mechanism_sentences, mechanisms_section, values_of


def planted(made: ModuleType, n: int = 60) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Found: sharing 0.6 to 1; missed: as chance; rare: three compounds."""
    compounds = made.compound_rows(made.embedding(n, np.random.default_rng(0), "x").obs)
    kinds = np.repeat(["found", "missed", "rare"], [30, 27, 3])
    compounds["mechanism"] = kinds
    rates = made.neighbor_rows(list(compounds["compound_id"]))
    kind = rates["compound_id"].map(dict(zip(compounds["compound_id"], kinds, strict=True)))
    rng = np.random.default_rng(1)
    own = rates["method"] == "dssl"
    rates.loc[own & (kind == "found"), "sharing"] = rng.choice([0.6, 0.8, 1.0], int((own & (kind == "found")).sum()))
    # chance is 0.1: a mean of exactly that, with spread
    missed = own & (kind == "missed")
    rates.loc[missed, "sharing"] = np.resize([0.0, 0.2], int(missed.sum()))
    enrichment = made.enrichment_table()
    control = enrichment[enrichment["method"] == "dssl"].assign(method="kernel_ridge", sharing=0.2)
    return rates, pd.concat([enrichment, control]), compounds


def test_found_missed_and_rare_are_told_apart(made: ModuleType) -> None:
    rates, enrichment, compounds = planted(made)
    (values,) = values_of(rates, enrichment, compounds, np.random.default_rng(0))
    table = values.table.set_index("value")
    assert table["verdict"].to_dict() == {
        "found": "found", "missed": "not told from chance", "rare": "too few compounds"
    }  # fmt: skip
    across = rates[(rates["space"] == "phenotype_to_molecule") & (rates["method"] == "dssl")].set_index("compound_id")
    members = compounds.loc[compounds["mechanism"] == "found", "compound_id"]
    assert table.loc["found", "sharing"] == pytest.approx(across.loc[members, "sharing"].mean())
    assert table.loc["found", "control"] == pytest.approx(0.2)
    percentiles = compounds.set_index("compound_id").loc[members, "percentile_phenotype_to_molecule"]
    assert table.loc["found", "percentile"] == pytest.approx(percentiles.mean())
    (said,) = mechanism_sentences([values])
    assert "Of 2 values of mechanism with at least 5 held-out compounds, 1 is found" in said
    assert "against 10 % by chance, n = 30)" in said
    assert "1 is not (least: missed" in said
    assert "1 more has fewer than 5 and cannot be judged." in said
    assert "The strongest control, kernel ridge on fingerprints, does as well or better for 1 of the 2." in said
    assert "about 0.1 would be called found by chance alone" in said


def test_ten_thousand_mechanisms_are_counted_and_the_largest_are_shown(made: ModuleType) -> None:
    compounds = made.compound_rows(made.embedding(20, np.random.default_rng(0), "x").obs)
    many = pd.concat([compounds] * 500, ignore_index=True)
    many["compound_id"] = [f"C{k}" for k in range(len(many))]
    many["mechanism"] = [f"mechanism {k} <b>" for k in range(len(many))]
    rates = made.neighbor_rows(list(many["compound_id"]))
    values = values_of(rates[rates["method"] == "dssl"], made.enrichment_table(), many, np.random.default_rng(0))
    section = mechanisms_section(values, made.enrichment_table())
    figure = next(part for part in section.parts if isinstance(part, Figure))
    table = next(part for part in section.parts if isinstance(part, Table))
    assert "24 values with most compounds of 10,000 are shown" in figure.caption
    assert len(figure.data.splitlines()) == 10_001
    assert len(table.rows) == 200
    assert "No value of mechanism has 5 held-out compounds" in section.paragraphs[0]


def test_no_annotation_is_said(made: ModuleType) -> None:
    rates = made.neighbor_rows(["C0"])
    compounds = made.compound_rows(made.embedding(1, np.random.default_rng(0), "x").obs)
    assert values_of(rates.iloc[:0], made.enrichment_table().iloc[:0], compounds, np.random.default_rng(0)) == []
    section = mechanisms_section([], made.enrichment_table().iloc[:0])
    assert "no kept column of the molecules" in section.paragraphs[0]
    assert not any(isinstance(part, Figure | Table | Note) for part in section.parts)
