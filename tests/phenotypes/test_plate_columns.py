import pytest

from dssl.errors import ConfigError, TableError
from dssl.phenotypes.columns import needed_columns, text_columns


def test_needed_columns_are_metadata_then_features_once_each(table, make_settings):
    settings = make_settings(control={"column": "Drug", "values": ["D1"]}, features={"names": ["Cells_AreaShape_Area"]})
    assert needed_columns([*table.columns, "Comment"], settings) == [
        "Drug",
        "Plate",
        "Position",
        "Run",
        "Concentration",
        "Cells",
        "Target",
        "Cells_AreaShape_Area",
    ]


def test_identifiers_are_to_be_read_as_text(make_settings):
    assert text_columns(make_settings()) == ["Drug", "Plate", "Position", "Run"]
    assert text_columns(make_settings(plate=None, batch=None)) == ["Drug", "Position"]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"prefixes": ["1", "2"]}, ["10007", "1001", "22"]),
        ({"names": ["22", "10007"]}, ["22", "10007"]),
        ({"pattern": r"\d{4,}"}, ["10007", "1001"]),
        ({"pattern": r"\d{4}"}, ["1001"]),
    ],
)
def test_features_by_prefixes_names_and_pattern(features, expected, make_settings):
    described = ["Drug", "Plate", "Position", "Run", "Concentration", "Cells", "Role", "Target"]
    header = [*described, "10007", "1001", "22", "x"]
    settings = make_settings(features=features)
    assert needed_columns(header, settings)[len(described) :] == expected


def test_all_missing_columns_are_named_with_the_nearest(table, make_settings):
    settings = make_settings(plate="plate", dose="Conc", control={"column": "Qwxz", "values": [1]})
    with pytest.raises(TableError) as error:
        needed_columns(list(table.columns), settings, "P1.csv")
    message = str(error.value)
    assert message.startswith("P1.csv: 3 columns are missing: ")
    assert "'plate' (plates.columns.plate, nearest: 'Plate')" in message
    assert "'Conc' (plates.columns.dose, nearest: 'Concentration')" in message
    assert "'Qwxz' (plates.control.column)" in message
    assert message.count("\n") <= 2


def test_missing_features_by_name_are_errors(table, make_settings):
    settings = make_settings(features={"names": ["Cells_AreaShape_area"]})
    with pytest.raises(TableError, match="plates.features.names, nearest: 'Cells_AreaShape_Area'"):
        needed_columns(list(table.columns), settings)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"prefixes": ["Feature_", "F-"]}, "the prefixes 'Feature_', 'F-'"),
        ({"pattern": "feature.*"}, "the pattern 'feature.*'"),
        ({"names": []}, "an empty list of names"),
    ],
)
def test_no_feature_shows_what_was_looked_for_and_what_there_is(features, said, table, make_settings):
    with pytest.raises(TableError, match=f"no feature column matches {said}.*'Cells_AreaShape_Area'"):
        needed_columns(list(table.columns), make_settings(features=features))


def test_a_feature_cannot_describe_wells(table, make_settings):
    settings = make_settings(features={"prefixes": ["Cells"]})  # also the cell count
    with pytest.raises(TableError, match=r"'Cells' would be read both as a feature and as plates.columns.cell_count"):
        needed_columns(list(table.columns), settings)


@pytest.mark.parametrize("name", ["plate", "is_control", "qc_dead", "treatment", "fold_0"])
def test_kept_columns_may_not_have_names_of_ours(name, table, make_settings):
    with pytest.raises(TableError, match=f"kept columns '{name}' have names that dssl itself writes"):
        needed_columns([*table.columns, name], make_settings(keep=[name]))


def test_kept_columns_may_not_hold_a_slash(table, make_settings):
    with pytest.raises(TableError, match="'a/b' cannot be stored"):
        needed_columns([*table.columns, "a/b"], make_settings(keep=["a/b"]))


def test_columns_that_occur_twice_are_refused(table, make_settings):
    with pytest.raises(TableError, match="columns occur twice: 'Role'"):
        needed_columns([*table.columns, "Role"], make_settings())


def test_a_wrong_pattern_is_an_error_of_the_settings(table, make_settings):
    with pytest.raises(ConfigError, match=r"plates.features.pattern: '\(' is not a regular expression"):
        needed_columns(list(table.columns), make_settings(features={"pattern": "("}))
