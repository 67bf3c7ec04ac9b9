"""A library of drug-like molecules: random products of five standard reactions on written-in building blocks."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from rdkit import Chem, rdBase
from rdkit.Chem.rdChemReactions import ReactionFromSmarts
from rdkit.Chem.rdinchi import MolToInchiKey
from rdkit.Chem.rdMolDescriptors import CalcExactMolWt

from dssl.errors import ConfigError
from dssl.keys import COMPOUND_ID, NAME, SMILES
from dssl.simulate.building_blocks import (
    ACIDS,
    AMINES,
    ANILINES,
    BORONIC_ACIDS,
    BROMO_ACIDS,
    HETARYL_DIHALIDES,
    SULFONYL_CHLORIDES,
)

MIN_WEIGHT, MAX_WEIGHT = 200.0, 600.0  # Da

_AMINE = "[N;X3;H1,H2;!$(N-[C,S]=[O,N]):2]"
_AMIDE = ReactionFromSmarts(f"[C:1](=[O:3])[OX2H1].{_AMINE}>>[C:1](=[O:3])[N:2]")
_SULFONAMIDE = ReactionFromSmarts(f"[S:1](=O)(=O)Cl.{_AMINE}>>[S:1](=O)(=O)[N:2]")
_UREA = ReactionFromSmarts(f"[NH2:1][c:3].{_AMINE}>>[c:3][NH:1]C(=O)[N:2]")
_SUZUKI = ReactionFromSmarts("[c:1]Br.[c:2]B(O)O>>[c:1]-[c:2]")
_AMINATION_CL = ReactionFromSmarts(f"[c:1]Cl.{_AMINE}>>[c:1][N:2]")
_AMINATION_BR = ReactionFromSmarts("[c:1]Br.[NH2:2][c:3]>>[c:1][NH:2][c:3]")

Product = tuple[str, Any]  # name, RDKit molecule


def drug_like_library(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw `n` distinct molecules: amides, biaryl amides, sulfonamides, ureas and anilino-heteroaryls.

    Parameters
    ----------
    n : int
        Number of molecules (about 20,000 are within reach).
    rng : numpy.random.Generator
        Draws reactions and building blocks.

    Returns
    -------
    DataFrame
        compound_id ("DSSL-0001", ...), name, smiles (canonical); InChIKeys are distinct, molecular weights lie
        between 200 and 600 Da.

    Raises
    ------
    ConfigError
        If so many distinct molecules are not found.
    """
    found: dict[str, tuple[str, str]] = {}
    with rdBase.BlockLogs():
        for _ in range(20 * n + 1000):
            if len(found) == n:
                break
            name, molecule = _SCHEMES[rng.choice(len(_SCHEMES), p=_WEIGHTS)](rng)
            if MIN_WEIGHT <= CalcExactMolWt(molecule) <= MAX_WEIGHT:
                found.setdefault(MolToInchiKey(molecule), (name, Chem.MolToSmiles(molecule)))
    if len(found) < n:
        raise ConfigError(
            f"simulate_screen.n_compounds: {n} distinct molecules are wanted, the building blocks gave {len(found)}\n"
            "Lower simulate_screen.n_compounds."
        )
    names, smiles = zip(*found.values(), strict=True)
    width = max(4, len(str(n)))
    identifiers = [f"DSSL-{number:0{width}d}" for number in range(1, n + 1)]
    return pd.DataFrame({COMPOUND_ID: identifiers, NAME: names, SMILES: smiles})


def _draw(blocks: Mapping[str, str], rng: np.random.Generator) -> Product:
    name = list(blocks)[rng.integers(len(blocks))]
    return name, Chem.MolFromSmiles(blocks[name])


def _react(reaction: Any, first: Any, second: Any) -> Any:
    product = reaction.RunReactants((first, second))[0][0]
    Chem.SanitizeMol(product)
    return Chem.MolFromSmiles(Chem.MolToSmiles(product))


def _amide(rng: np.random.Generator) -> Product:
    (acid_name, acid), (amine_name, amine) = _draw(ACIDS, rng), _draw(AMINES, rng)
    return f"amide of {acid_name} and {amine_name}", _react(_AMIDE, acid, amine)


def _biaryl_amide(rng: np.random.Generator) -> Product:
    (acid_name, acid), (aryl_name, aryl), (amine_name, amine) = (
        _draw(BROMO_ACIDS, rng), _draw(BORONIC_ACIDS, rng), _draw(AMINES, rng),
    )  # fmt: skip
    name = f"amide of {aryl_name}-coupled {acid_name} and {amine_name}"
    return name, _react(_AMIDE, _react(_SUZUKI, acid, aryl), amine)


def _sulfonamide(rng: np.random.Generator) -> Product:
    (sulfonyl_name, sulfonyl), (amine_name, amine) = _draw(SULFONYL_CHLORIDES, rng), _draw(AMINES | ANILINES, rng)
    return f"{sulfonyl_name} amide of {amine_name}", _react(_SULFONAMIDE, sulfonyl, amine)


def _urea(rng: np.random.Generator) -> Product:
    (aniline_name, aniline), (amine_name, amine) = _draw(ANILINES, rng), _draw(AMINES, rng)
    return f"urea of {aniline_name} and {amine_name}", _react(_UREA, aniline, amine)


def _anilino_hetaryl(rng: np.random.Generator) -> Product:
    (core_name, core), (aniline_name, aniline), (amine_name, amine) = (
        _draw(HETARYL_DIHALIDES, rng), _draw(ANILINES, rng), _draw(AMINES, rng),
    )  # fmt: skip
    name = f"{core_name} with {aniline_name} and {amine_name}"
    return name, _react(_AMINATION_BR, _react(_AMINATION_CL, core, amine), aniline)


_SCHEMES: tuple[Callable[[np.random.Generator], Product], ...] = (
    _amide, _biaryl_amide, _sulfonamide, _urea, _anilino_hetaryl,
)  # fmt: skip
_WEIGHTS = (0.36, 0.16, 0.16, 0.16, 0.16)
