"""Classes of substructures that compounds can be searched by: RDKit's functional groups, and ring systems."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import Fragments

MAX_RING_SYSTEMS = 200
NAMED_RINGS = {
    "benzene": "c1ccccc1", "pyridine": "c1ccncc1", "pyrimidine": "c1cncnc1", "pyrazine": "c1cnccn1",
    "pyridazine": "c1ccnnc1", "triazine": "c1ncncn1", "pyrrole": "c1cc[nH]c1", "furan": "c1ccoc1",
    "thiophene": "c1ccsc1", "imidazole": "c1c[nH]cn1", "pyrazole": "c1cn[nH]c1", "oxazole": "c1cocn1",
    "isoxazole": "c1cnoc1", "thiazole": "c1cscn1", "1,2,4-triazole": "c1nnc[nH]1", "1,2,3-triazole": "c1c[nH]nn1",
    "tetrazole": "c1nnn[nH]1", "naphthalene": "c1ccc2ccccc2c1", "quinoline": "c1ccc2ncccc2c1",
    "isoquinoline": "c1ccc2cnccc2c1", "quinazoline": "c1ccc2ncncc2c1", "quinoxaline": "c1ccc2nccnc2c1",
    "indole": "c1ccc2[nH]ccc2c1", "indazole": "c1ccc2[nH]ncc2c1", "benzimidazole": "c1ccc2[nH]cnc2c1",
    "benzofuran": "c1ccc2occc2c1", "benzothiophene": "c1ccc2sccc2c1", "benzothiazole": "c1ccc2scnc2c1",
    "benzoxazole": "c1ccc2ocnc2c1", "benzodioxole": "c1ccc2OCOc2c1", "purine": "c1ncc2[nH]cnc2n1",
    "carbazole": "c1ccc2c(c1)[nH]c1ccccc12", "piperidine": "C1CCNCC1", "piperazine": "C1CNCCN1",
    "morpholine": "C1COCCN1", "thiomorpholine": "C1CSCCN1", "pyrrolidine": "C1CCNC1", "azetidine": "C1CNC1",
    "cyclopropane": "C1CC1", "cyclobutane": "C1CCC1", "cyclopentane": "C1CCCC1", "cyclohexane": "C1CCCCC1",
    "tetrahydrofuran": "C1CCOC1", "tetrahydropyran": "C1CCOCC1", "steroid": "C1CCC2C(C1)CCC1C2CCC2CCCC12",
}  # fmt: skip


def classes(smiles: Sequence[str | None]) -> dict[str, Any]:
    """Names of the classes that some compound has, and a bit for each class and compound.

    Returns
    -------
    dict
        names: the classes, with the number of compounds in `counts`; bits: uint8, a row of ceil(n / 8) bytes for each
        class, compound i in bit i % 8 (lowest first) of byte i // 8.
    """
    different = {each: place for place, each in enumerate(dict.fromkeys(smiles))}
    places = np.array([different[each] for each in smiles], dtype=np.int64)
    with rdBase.BlockLogs():
        molecules = [Chem.MolFromSmiles(each) if each else None for each in different]
    rows = {
        name: np.array([molecule is not None and count(molecule) > 0 for molecule in molecules], dtype=bool)[places]
        for name, count in functional_groups().items()
    }
    rings = [frozenset() if molecule is None else ring_systems(molecule) for molecule in molecules]
    common = Counter(ring for place in places for ring in rings[place])
    for ring in sorted(common, key=lambda each: (-common[each], each))[:MAX_RING_SYSTEMS]:
        rows[f"ring system {ring_name(ring)}"] = np.array([ring in of_one for of_one in rings], dtype=bool)[places]
    present = {name: row for name, row in rows.items() if row.any()}
    bits = [np.packbits(row, bitorder="little") for row in present.values()]
    return {
        "names": list(present),
        "counts": [int(row.sum()) for row in present.values()],
        "bits": np.concatenate(bits) if bits else np.empty(0, dtype=np.uint8),
    }


@cache
def functional_groups() -> dict[str, Any]:
    """Counting functions of RDKit's Fragments by readable name."""
    found = {}
    for name in sorted(vars(Fragments)):
        if name.startswith("fr_"):
            function = getattr(Fragments, name)
            found[f"{_readable(str(function.__doc__ or ''))} ({name})".strip()] = function
    return found


def _readable(documentation: str) -> str:
    return re.sub(r"\s+", " ", documentation).strip().removeprefix("Number of ").rstrip(".")


def ring_systems(molecule: Any) -> frozenset[str]:
    """Canonical SMILES of the fused and spiro ring systems, substituents and hydrogens on them left out."""
    systems: list[set[int]] = []
    for ring in map(set, molecule.GetRingInfo().AtomRings()):
        touching = [system for system in systems if system & ring]
        systems = [system for system in systems if not system & ring]
        systems.append(ring.union(*touching))
    return frozenset(
        Chem.MolFragmentToSmiles(molecule, sorted(system), isomericSmiles=False).replace("[nH]", "n")
        for system in systems
    )


def ring_name(ring: str) -> str:
    """Name of a common ring system, and its SMILES; of others the SMILES alone."""
    name = _names_of_rings().get(ring)
    return f"{name} ({ring})" if name else ring


@cache
def _names_of_rings() -> dict[str, str]:
    return {next(iter(ring_systems(Chem.MolFromSmiles(smiles)))): name for name, smiles in NAMED_RINGS.items()}
