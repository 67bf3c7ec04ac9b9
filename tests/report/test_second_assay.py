import re
from types import ModuleType

import pandas as pd
import pytest

from dssl.report.content import Answers, Cell, Drawing, Example, Examples, Figure, Note, Section, Table, figures_of
from dssl.report.knowledge import knowledge_section
from dssl.report.mechanisms import mechanisms_section
from dssl.report.retrieval import retrieval_section
from dssl.report.second_assay import reworded, with_second_assay, without_second_profile
from dssl.settings.preparation import PairAndSplitSettings


def sections(text: str) -> list[Section]:
    return [
        Section("short", "In short", [], [Answers([("a molecule?", [text], "x")])]),
        Section(
            "screened", "What was screened", ["12 wells are paired with a structure."], [Table("Molecules", [], [])]
        ),
        Section(
            "retrieval",
            "Retrieval",
            [text],
            [
                Table(text, [text], [[Cell(text)], [Cell("structure", quoted=True)]]),
                Figure(text, text, "data:molecule", "molecule", "molecule"),
            ],
        ),
        Section("neighbours", text, [], [Examples(text, [Example(Drawing("x", "data:structure", text), [])])]),
        Section("settings", "Settings", ["molecules.smiles"], []),
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Phenotype → molecule", "Phenotype → L1000 signature"),
        ("Molecules and their structures", "L1000 signatures and their L1000 signatures"),
        ("a molecule's code", "an L1000 signature's code"),
        ("than the molecules' codes", "than the L1000 signatures' codes"),
        ("molecular kernels", "L1000 signature kernels"),
        ("molecule_to_phenotype, restructured", "molecule_to_phenotype, restructured"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_molecules_become_what_the_second_assay_is_called(written: str, read: str) -> None:
    short, screened, retrieval, neighbours, settings = with_second_assay(sections(written), "L1000 signature")
    assert retrieval == sections(read)[2]
    assert neighbours == sections(read)[3]
    assert settings == sections(written)[4]
    assert screened.paragraphs == ["12 wells are paired with an L1000 signature."]
    assert screened.parts == sections(written)[1].parts
    assert isinstance(short.parts[0], Note)
    assert "two phenotypes of the same compounds" in short.parts[0].text
    assert short.parts[1] == Answers([("an L1000 signature?", [read], "x")])


def test_what_is_said_of_structures_themselves_stays() -> None:
    found = with_second_assay(sections("a structure is held out"), "L1000 signature", ["a structure is held out"])
    assert found[2].paragraphs == ["a structure is held out"]
    assert found[0].parts[1] == Answers([("an L1000 signature?", ["a structure is held out"], "x")])


def test_wells_of_compounds_without_a_second_profile_say_so() -> None:
    wells = pd.DataFrame(
        {
            "compound_id": ["a", "b", "a"],
            "reason": ["compound 'a' is not among the molecules", "compound 'b' is not among the molecules", "control"],
        }
    )
    found = without_second_profile(wells, pd.DataFrame({"compound_id": ["a"]}), "L1000 signature")
    assert found["reason"].tolist() == ["compound has no L1000 signature", wells["reason"][1], "control"]


def test_the_article_fits_the_name() -> None:
    assert with_second_assay(sections("a molecule"), "Cell Painting profile")[2].paragraphs == [
        "a Cell Painting profile"
    ]


@pytest.mark.parametrize(
    ("other", "read"),
    [("molecule", "a structure → Molecule"), ("L1000 signature", "an L1000 signature → L1000 signature")],
)
def test_figures_name_the_second_assay_where_there_is_one(other: str, read: str) -> None:
    assert reworded("a structure → Molecule", other) == read


def test_what_is_drawn_names_the_second_assay(made: ModuleType) -> None:
    queries = made.query_rows([f"C{k}" for k in range(9)])
    scores, compared, name = made.retrieval_table(), made.comparison_rows(0.1, 0.1), "L1000 signature"
    known = (made.probe_rows(["0"]), made.dependence_rows(["0"]), made.information_rows())
    drawn = figures_of(
        [
            retrieval_section(scores, compared, made.strata_table(), queries, PairAndSplitSettings(), name),
            knowledge_section(*known, made.attribution_rows(["0"]), made.leakage_rows(["0"]), name),
            mechanisms_section([], made.enrichment_table(), name),
        ]
    )
    # what is drawn as outlines stands in a comment before them
    said = {figure.name: " ".join(re.findall("<!-- (.*?) -->", figure.svg.decode())) for figure in drawn}
    assert {"retrieval-curve", "retrieval-methods", "retrieval-strata", "information", "probes"} <= set(said)
    assert not [figure for figure, text in said.items() if re.search("molecule|structure", text, re.IGNORECASE)]
    assert "Phenotype → L1000 signature" in said["retrieval-methods"]
    assert "L1000 signatures near a phenotype" in said["neighbour-enrichment"]
