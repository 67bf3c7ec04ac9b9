"""New compounds and new plates: what a trained model is kept for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dssl.errors import ConfigError
from dssl.settings.new_data import EmbedSettings, QuerySettings
from dssl.steps.registry import INPUT, OutputFolder, step

if TYPE_CHECKING:
    from dssl.steps.bundle import Bundle

Model = Annotated[Path, INPUT, "folder of a trained model (results/<screen>/bundle_model), or its model.json"]
Molecules = Annotated[Path | None, INPUT, "table of new molecules, or a folder that `dssl embed` wrote"]
Plates = Annotated[list[Path] | None, INPUT, "tables of new plates, or a folder that `dssl embed` wrote"]
Library = Annotated[
    Path | None, INPUT, "what to rank: a table of molecules or a folder that `dssl embed` wrote; default: the screen"
]
Compounds = Annotated[list[str] | None, "compounds of the screen whose phenotypes are the queries"]
Threads = Annotated[int, "processes"]


@step
def embed(
    *,
    settings: EmbedSettings,
    model: Model,
    molecules: Annotated[Path | None, INPUT, "table of new molecules"],
    plates: Annotated[list[Path] | None, INPUT, "tables of new plates"],
    out: OutputFolder,
    threads: Threads = 1,
) -> None:
    """Embed new molecules or new plates with a trained model: codes, nearest training compounds, applicability."""
    from dssl.steps.bundle import load_bundle
    from dssl.steps.new_summary import write_summary

    _exactly_one(molecules=molecules, plates=plates)
    bundle = load_bundle(model)
    _embed(bundle, molecules, plates, settings, out, threads)
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
    threads: Threads = 1,
) -> None:
    """Rank a library for new molecules, new plates or the screen's own phenotypes: hits, and what scores are worth."""
    from dssl.steps.bundle import load_bundle
    from dssl.steps.hits import write_hits
    from dssl.steps.new_sides import items_for, queries_of
    from dssl.steps.new_summary import write_summary

    _exactly_one(molecules=molecules, plates=plates, compounds=compounds)
    bundle = load_bundle(model)
    source = _folder(bundle, molecules, plates, settings, out, threads)
    queries = queries_of(bundle, source, compounds)
    searched = _folder(bundle, library, None, settings, out / "library", threads)
    items = items_for(bundle, queries, searched)
    of_compounds = bundle.calibration[bundle.calibration["level"] == "compound"]
    write_hits(out / "hits.tsv", queries, items, of_compounds, settings.n_hits)
    write_summary(bundle, out, source, (queries, items))


def _exactly_one(**given: object) -> None:
    named = [f"--{name}" for name, value in given.items() if value]
    if len(named) != 1:
        options = " and ".join(f"--{name}" for name in given)
        raise ConfigError(f"expected exactly one of {options}, found {' and '.join(named) or 'none'}")


def _folder(
    bundle: "Bundle",
    molecules: Path | None,
    plates: list[Path] | None,
    settings: EmbedSettings,
    out: Path,
    threads: int,
) -> Path | None:
    """Folder with the embeddings: the one given, or `out` after embedding the tables; None if nothing is given."""
    given = plates or ([molecules] if molecules else [])
    if len(given) == 1 and given[0].is_dir():
        return given[0]
    if not given:
        return None
    _embed(bundle, molecules, plates, settings, out, threads)
    return out


def _embed(
    bundle: "Bundle",
    molecules: Path | None,
    plates: list[Path] | None,
    settings: EmbedSettings,
    out: Path,
    threads: int,
) -> None:
    from dssl.steps.new_molecules import embed_molecules, read_new_molecules
    from dssl.steps.new_plates import embed_plates

    if plates:
        embed_plates(bundle, plates, settings, out)
    elif molecules is not None:
        frame = read_new_molecules(molecules, settings.molecules, bundle.settings.molecules)
        embed_molecules(bundle, frame, settings, out, threads)
