"""A trained model as one folder that can be copied elsewhere: everything that new data need, without pickles."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dssl.errors import IntegrityError, first_few
from dssl.io import atomic_path, read_anndata, read_json, read_table, sha256_of, write_json, write_table
from dssl.keys import COMPOUND_ID, PROVENANCE
from dssl.provenance import package_versions, stamp
from dssl.settings.new_data import AppliedSettings

if TYPE_CHECKING:
    from anndata import AnnData

    from dssl.phenotypes.assembled_state import AssembledState
    from dssl.preprocessing.state import PreprocessingState
    from dssl.training.encode import Models

FORMAT = "dssl-bundle/1"
DESCRIPTION = "model.json"
PREPROCESSING, ASSEMBLED = "preprocessing.safetensors", "assembled.safetensors"
COMPOUNDS, MOLECULES, ALIASES = "compounds.h5ad", "molecules.h5ad", "aliases.tsv"
SECOND_ASSEMBLED, SECOND_ALIASES = "second_assembled.safetensors", "second_aliases.tsv"
CALIBRATION, HELD_OUT, PERFORMANCE, RANGES = "calibration.tsv", "held_out.tsv", "performance.tsv", "ranges.tsv"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained model with what it was trained on and how well it did.

    Attributes
    ----------
    folder : Path
        Where it was read from.
    description : dict
        Content of model.json: versions, fold, beta, lambda, names of the models in their order, checksums.
    settings : AppliedSettings
        How the screen was treated, and new data have to be.
    state : PreprocessingState
        Fitted preprocessing of both modalities.
    assembled : AssembledState
        Features of the plates, and the sphering.
    second_assembled : AssembledState or None
        The same of the second assay, where the model compares two.
    models : sequence of models
        The ensemble, in the order in which the screen was embedded with it.
    compounds, molecules : AnnData
        Inputs (X), codes and description of the screen's compounds: their profiles, and their molecules.
    aliases, second_aliases : Series
        Compound of every id of the screen, and of its second assay (empty where there is none).
    calibration, held_out, performance : DataFrame
        What calibrate_scores wrote.
    """

    folder: Path
    description: dict[str, Any]
    settings: AppliedSettings
    state: "PreprocessingState"
    assembled: "AssembledState"
    second_assembled: "AssembledState | None"
    models: "Models"
    compounds: "AnnData"
    molecules: "AnnData"
    aliases: pd.Series
    second_aliases: pd.Series
    calibration: pd.DataFrame
    held_out: pd.DataFrame
    performance: pd.DataFrame

    @property
    def identity(self) -> str:
        """SHA-256 of the checksums of its files: tells one trained model from another."""
        return hashlib.sha256(json.dumps(self.description["files"], sort_keys=True).encode()).hexdigest()

    @property
    def second_assay(self) -> str:
        """What stands in the place of the molecules; "" for molecules themselves."""
        return self.settings.second_assay.name if self.settings.second_assay else ""

    def stamp(self) -> dict[str, str]:
        """Where embeddings are from, for their uns."""
        return stamp("embed", {"screen": self.settings.screen, "model": self.identity})

    def made(self, adata: "AnnData") -> bool:
        """Whether embeddings were made with this model."""
        found = adata.uns.get(PROVENANCE, {}).get("parameters", "{}")
        return bool(json.loads(found).get("model") == self.identity)


def write_bundle(
    target: Path, settings: AppliedSettings, parts: Mapping[str, Path], ranges: pd.DataFrame, about: Mapping[str, Any]
) -> None:
    """Copy the parts beside `target` (model.json) under their names here, and describe them in it.

    Parameters
    ----------
    target : Path
        <folder>/model.json.
    settings : AppliedSettings
        How the screen was treated.
    parts : mapping of str to Path
        Name in the folder -> file that a step wrote.
    ranges : DataFrame
        Lowest and highest value of every descriptor among the training molecules.
    about : mapping
        `models`, the names of the ensemble's models in their order; fold, beta, lambda and whatever else tells
        where the model is from.
    """
    for name, source in parts.items():
        with atomic_path(target.parent / name) as temporary:
            shutil.copyfile(source, temporary)
    write_table(target.parent / RANGES, ranges)
    files = {name: sha256_of(target.parent / name) for name in [*parts, RANGES]}
    content = {"format": FORMAT, "settings": settings.model_dump(mode="json"), "files": files, **about}
    write_json(target, {**content, "versions": package_versions()})


def load_bundle(path: Path) -> Bundle:
    """Read a model's folder (or its model.json).

    Raises
    ------
    IntegrityError
        If it is no such folder, is of another version, or a file is missing or changed.
    """
    import torch

    from dssl.phenotypes.assembled_state import load_assembled
    from dssl.preprocessing.state import load_state
    from dssl.training.saved import load_model

    folder, description = read_description(path)
    settings = AppliedSettings.model_validate(description["settings"])
    has_second = settings.second_assay is not None
    return Bundle(
        folder=folder,
        description=description,
        settings=settings,
        state=load_state(folder / PREPROCESSING),
        assembled=load_assembled(folder / ASSEMBLED),
        second_assembled=load_assembled(folder / SECOND_ASSEMBLED) if has_second else None,
        models=[load_model(folder / name, torch.device("cpu"))[:2] for name in description["models"]],
        compounds=read_anndata(folder / COMPOUNDS),
        molecules=read_anndata(folder / MOLECULES),
        aliases=_aliases(folder / ALIASES),
        second_aliases=_aliases(folder / SECOND_ALIASES) if has_second else pd.Series(dtype=object),
        calibration=read_table(folder / CALIBRATION),
        held_out=read_table(folder / HELD_OUT),
        performance=read_table(folder / PERFORMANCE),
    )


def _aliases(path: Path) -> pd.Series:
    return read_table(path, text_columns=["input_id", COMPOUND_ID]).set_index("input_id")[COMPOUND_ID]


def read_description(path: Path) -> tuple[Path, dict[str, Any]]:
    """Folder and description of a model, whose files are all there and unchanged; raises as `load_bundle`."""
    folder = path if path.is_dir() else path.parent
    remedy = "Name the folder that bundle_model wrote: results/<screen>/bundle_model."
    if not (folder / DESCRIPTION).exists():
        raise IntegrityError(f"{folder}: expected a trained model, found no {DESCRIPTION} in it\n{remedy}")
    description = read_json(folder / DESCRIPTION)
    found = description.get("format") if isinstance(description, dict) else None
    if found != FORMAT:
        raise IntegrityError(f"{folder}: expected the format {FORMAT}, found {found!r}\n{remedy}")
    wrong = [
        f"{name} ({'changed' if (folder / name).exists() else 'missing'})"
        for name, digest in description["files"].items()
        if not (folder / name).exists() or sha256_of(folder / name) != digest
    ]
    if wrong:
        raise IntegrityError(
            f"{folder}: {len(wrong)} of {len(description['files'])} files of the model are not what they were:"
            f" {first_few(wrong)}\nCopy the whole folder again, or run bundle_model again."
        )
    return folder, description
