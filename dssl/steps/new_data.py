"""New compounds and new plates: what a trained model is kept for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from dssl.errors import ConfigError
from dssl.settings.new_data import EmbedSettings, QuerySettings
from dssl.steps.registry import INPUT, OutputFolder, step

if TYPE_CHECKING:
    from dssl.steps.bundle import Bundle

Model = Annotated[Path, INPUT, "folder of a trained model (results/<screen>/bundle_model), or its model.json"]
Molecules = Annotated[Path | None, INPUT, "table of new molecules, or a folder that `dssl embed` wrote"]
Plates = Annotated[list[Path] | None, INPUT, "tables of new plates, or a folder that `dssl embed` wrote"]
SecondPlates = Annotated[
    list[Path] | None, INPUT, "tables of new plates of the second assay, or a folder that `dssl embed` wrote"
]
Library = Annotated[
    Path | None, INPUT, "what to rank: a table of molecules or a folder that `dssl embed` wrote; default: the screen"
]
Compounds = Annotated[list[str] | None, "compounds of the screen whose phenotypes are the queries"]
Threads = Annotated[int, "processes"]


class Given(NamedTuple):
    """What new data are read from: exactly one is there."""

    molecules: Path | None = None
    plates: list[Path] | None = None
    second_plates: list[Path] | None = None


@step
def embed(
    *,
    settings: EmbedSettings,
    model: Model,
    molecules: Annotated[Path | None, INPUT, "table of new molecules"],
    plates: Annotated[list[Path] | None, INPUT, "tables of new plates"],
    out: OutputFolder,
    second_plates: Annotated[list[Path] | None, INPUT, "tables of new plates of the second assay"] = None,
    threads: Threads = 1,
) -> None:
    """Embed new molecules or new plates with a trained model: codes, nearest training compounds, applicability."""
    from dssl.steps.bundle import load_bundle
    from dssl.steps.new_summary import write_summary

    given = Given(molecules, plates, second_plates)
    _exactly_one(**given._asdict())
    bundle = load_bundle(model)
    _embed(bundle, given, settings, out, threads)
    write_summary(bundle, out, out)


@step
def query(
    *,
    settings: QuerySettings,
    model: Model,
    molecules: Molecules,
    plates: Plates,
    compounds: Compounds,
    library: Library,
    out: OutputFolder,
    second_plates: SecondPlates = None,
    threads: Threads = 1,
) -> None:
    """Rank a library for new molecules, new plates or the screen's own phenotypes: hits, and what scores are worth."""
    from dssl.steps.bundle import load_bundle
    from dssl.steps.hits import write_hits
    from dssl.steps.new_sides import items_for, queries_of
    from dssl.steps.new_summary import write_summary

    given = Given(molecules, plates, second_plates)
    _exactly_one(**given._asdict(), compounds=compounds)
    bundle = load_bundle(model)
    source = _folder(bundle, given, settings, out, threads)
    queries = queries_of(bundle, source, compounds)
    searched = _folder(bundle, Given(molecules=library), settings, out / "library", threads)
    items = items_for(bundle, queries, searched)
    of_compounds = bundle.calibration[bundle.calibration["level"] == "compound"]
    write_hits(out / "hits.tsv", queries, items, of_compounds, settings.n_hits)
    write_summary(bundle, out, source, (queries, items))


def _exactly_one(**given: object) -> None:
    options = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
    named = [option for option, value in options.items() if value]
    if len(named) != 1:
        raise ConfigError(f"expected exactly one of {' and '.join(options)}, found {' and '.join(named) or 'none'}")


def _folder(bundle: "Bundle", given: Given, settings: EmbedSettings, out: Path, threads: int) -> Path | None:
    """Folder with the embeddings: the one given, or `out` after embedding the tables; None if nothing is given."""
    paths = given.plates or given.second_plates or ([given.molecules] if given.molecules else [])
    if len(paths) == 1 and paths[0].is_dir():
        return paths[0]
    if not paths:
        return None
    _embed(bundle, given, settings, out, threads)
    return out


def _embed(bundle: "Bundle", given: Given, settings: EmbedSettings, out: Path, threads: int) -> None:
    from dssl.steps.new_molecules import embed_molecules, read_new_molecules
    from dssl.steps.new_plates import embed_plates
    from dssl.steps.new_second_plates import embed_second_plates

    if given.plates:
        embed_plates(bundle, given.plates, settings, out)
    elif given.second_plates:
        embed_second_plates(bundle, given.second_plates, settings, out)
    elif given.molecules is not None:
        if bundle.second_assay:
            raise ConfigError(
                f"{bundle.folder}: compares profiles of two assays, and knows no molecules\nGive new plates as --plates, "
                f"or as --second-plates where they are of the second assay ({bundle.second_assay}); a --library of them is "
                "a folder that `dssl embed --second-plates` wrote."
            )
        frame = read_new_molecules(given.molecules, settings.molecules, bundle.settings.molecules)
        embed_molecules(bundle, frame, settings, out, threads)
