"""Functional groups and ring systems as SMARTS: what the planted molecular factors are made of.

Every group comes with building blocks on either side of the reactions in `dssl.simulate.library`, so that groups occur
almost independently of each other (correlations below about 0.3) in 5 to 30 % of the molecules.
"""

from collections.abc import Iterable

import pandas as pd
from rdkit import Chem

# drive what structure and phenotype share; each with the mechanism that it is known for
SHARED = {
    "sulfonamide": ("[#6]S(=O)(=O)[N;X3]", "carbonic anhydrase inhibitor"),
    "basic_amine": ("[NX3]([CX4])([CX4])[CX4]", "GPCR antagonist"),
    "pyridine": ("n1ccccc1", "NAMPT inhibitor"),
    "diaminopyrimidine": ("c([NX3])1nc([NX3])nc[c,n]1", "kinase inhibitor"),
    "indole": ("c1ccc2[nX3]ccc2c1", "tubulin inhibitor"),
    "aryl_urea": ("cNC(=O)N", "epoxide hydrolase inhibitor"),
    "carboxylic_acid": ("C(=O)[OX2H1]", "cyclooxygenase inhibitor"),
    "azole": ("[nX2;r5]", "CYP inhibitor"),
}

# drive what only the structure tells
MOLECULE_ONLY = {
    "aryl_fluoride": "cF",
    "aryl_chloride": "cCl",
    "trifluoromethyl": "C(F)(F)F",
    "methoxy": "c[OX2][CH3]",
    "nitrile": "C#N",
    "morpholine": "C1COCCN1",
    "thiophene": "c1ccsc1",
    "benzyl": "[CH2;!R](c1[c,n]cccc1)",
}

_PATTERNS = {name: Chem.MolFromSmarts(smarts) for name, (smarts, _) in SHARED.items()} | {
    name: Chem.MolFromSmarts(smarts) for name, smarts in MOLECULE_ONLY.items()
}


def substructure_factors(smiles: Iterable[str]) -> pd.DataFrame:
    """Presence (0.0 or 1.0) of each group of `SHARED` and `MOLECULE_ONLY`: molecules x groups, in the given order."""
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    return pd.DataFrame(
        {
            name: [float(molecule.HasSubstructMatch(pattern)) for molecule in molecules]
            for name, pattern in _PATTERNS.items()
        }
    )
