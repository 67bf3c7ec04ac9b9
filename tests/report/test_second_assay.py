import pytest

from dssl.report.content import Answers, Cell, Drawing, Example, Examples, Figure, Note, Section, Table
from dssl.report.second_assay import with_second_assay


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


def test_the_article_fits_the_name() -> None:
    assert with_second_assay(sections("a molecule"), "Cell Painting profile")[2].paragraphs == [
        "a Cell Painting profile"
    ]
