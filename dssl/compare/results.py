"""A results folder as `dssl compare` reads it."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dssl import keys
from dssl.errors import IntegrityError
from dssl.io import read_anndata, read_table
from dssl.manifest import read_manifest

if TYPE_CHECKING:
    from anndata import AnnData

# by which compounds of two screens are the same
IDENTITY = keys.INCHIKEY
TEXT = ["fold", keys.COMPOUND_ID, "query", "input_id"]


class Results:
    """Files of a finished run; compounds are named by their InChIKey, which two screens have in common.

    Raises
    ------
    IntegrityError
        If the folder has no manifest, or a file that a finished run has is not there.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._codes: dict[tuple[str, str], AnnData] = {}
        self.manifest = read_manifest(folder)

    def path(self, name: str) -> Path:
        """Path of a file, which must be there."""
        path = self.folder / name
        if not path.exists():
            raise IntegrityError(
                f"{self.folder}: expected {name}, which a finished run has, and found none\n"
                "Give the results folder of a screen that has run to its end (results/<screen>)."
            )
        return path

    def table(self, name: str) -> pd.DataFrame:
        """A table; identifiers are text."""
        return read_table(self.path(name), text_columns=TEXT)

    @cached_property
    def molecules(self) -> pd.DataFrame:
        """Standardised molecules by compound_id."""
        return self.table("standardize_molecules/molecules.tsv").set_index(keys.COMPOUND_ID)

    @cached_property
    def ids(self) -> dict[str, str]:
        """compound_id by InChIKey; of several, the first."""
        return {key: str(name) for name, key in reversed(list(self.molecules[IDENTITY].items()))}

    @cached_property
    def screened(self) -> dict[str, str]:
        """Name by InChIKey of every compound that has both a molecule and a phenotype."""
        ids = self.table("pair_and_split/folds.tsv")[keys.COMPOUND_ID]
        found = self.molecules.loc[[each for each in ids if each in self.molecules.index]]
        names = found[keys.NAME].fillna("") if keys.NAME in found else pd.Series("", index=found.index)
        return {
            key: f"{identifier} ({name})" if name and name != identifier else str(identifier)
            for identifier, key, name in zip(found.index, found[IDENTITY], names, strict=True)
        }

    def folds(self, step: str) -> list[str]:
        """Folds of a step's folder, "full" last."""
        found = sorted(path.name.removeprefix("fold~") for path in self.path(step).glob("fold~*"))
        return sorted(found, key=lambda fold: (fold == keys.FULL_FOLD, fold))

    def queries(self, level: str = "compound") -> pd.DataFrame:
        """Scores of every held-out query of a level, with the compound's InChIKey in place of its identifier."""
        folds = self.folds("evaluate_retrieval")
        tables = [self.table(f"evaluate_retrieval/fold~{fold}/queries.parquet") for fold in folds]
        joined = pd.concat(tables, ignore_index=True)
        joined = joined[joined["level"] == level]
        return joined.assign(**{keys.COMPOUND_ID: joined[keys.COMPOUND_ID].map(self.molecules[IDENTITY])})

    def codes(self, fold: str, level: str) -> "AnnData":
        """Codes of compounds or molecules, rows named by InChIKey; of a compound that occurs twice, the first row."""
        if (fold, level) not in self._codes:
            self._codes[fold, level] = self._read_codes(fold, level)
        return self._codes[fold, level]

    def _read_codes(self, fold: str, level: str) -> "AnnData":
        adata = read_anndata(self.path(f"embed_screen/fold~{fold}/{level}.h5ad"))
        names = adata.obs[keys.COMPOUND_ID].astype(str).map(self.molecules[IDENTITY])
        kept = (names.notna() & ~names.duplicated()).to_numpy()
        adata = adata[kept].copy()
        adata.obs_names = names[kept].astype(str).to_numpy()
        return adata

    def versions(self) -> dict[str, str]:
        """Versions of the packages that made the artifacts; several are joined."""
        found: dict[str, set[str]] = {}
        for artifact in self.manifest["artifacts"]:
            for package, version in artifact["versions"].items():
                found.setdefault(package, set()).add(version)
        return {package: ", ".join(sorted(versions)) for package, versions in sorted(found.items())}

    def inputs(self) -> dict[str, str]:
        """Checksums of the tables that the run started from: files of the user, or those simulated or fetched."""
        made = {
            Path(artifact["path"]).name: artifact["sha256"]
            for artifact in self.manifest["artifacts"]
            if artifact["rule"] in ("simulate_screen", "fetch_screen")
        }
        given: dict[str, Any] = {source["path"]: source["sha256"] for source in self.manifest["sources"]}
        return made | given
