"""A made-up screen, with names that spreadsheets and browsers would run, and the folder that is handed over."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd

from dssl import keys
from dssl.evaluation.compound_columns import YES_NO
from dssl.evaluation.compound_table import compound_table, held_out_ranks
from dssl.evaluation.libraries import Pairings
from dssl.evaluation.retrieval import evaluate_embedding
from dssl.io import write_anndata, write_table
from dssl.pairs.storage import as_mudata, storable, write_pairs
from dssl.settings.evaluation import HandoverSettings
from dssl.steps.handover import handover

# the last one, artemether, is a cage whose stereochemistry a drawing in the plane loses
SMILES = [
    "CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "c1ccncc1", "C/C=C/C", "OCC(O)CO",
    "CO[C@H]1O[C@@H]2O[C@@]3(C)CC[C@H]4[C@H](C)CC[C@@H]([C@H]1C)[C@@]24OO3",
]  # fmt: skip
NAMES = [
    "=cmd()",
    "<script>alert(1)</script>",
    "+1",
    "-1",
    "@x",
    "\ttab",
    "re\rturn",
    "n" * 400,
    "'quoted",
    "β-carotene",
]
OUTPUTS = {
    "readme": "README.html",
    "dictionary": "data_dictionary.csv",
    "compound_table": "compounds.csv",
    "hits": "hits.csv",
    "neighbors": "neighbours.csv",
    "profiles_shared": "profiles_shared.csv",
    "profiles_specific": "profiles_specific.csv",
    "molecules_shared": "molecules_shared.csv",
    "molecules_specific": "molecules_specific.csv",
    "variance": "feature_variance.csv",
    "workbook": "compounds.xlsx",
    "structures": "compounds.sdf",
    "profiles_file": "profiles.h5ad",
    "molecules_file": "molecules.h5ad",
    "screen_file": "screen.h5mu",
}


def molecules(n: int, mechanisms: list[str | None] | None = None) -> pd.DataFrame:
    """Names, structures and mechanisms of n compounds c0, c1, ..."""
    from rdkit import Chem

    smiles = [SMILES[k % len(SMILES)] for k in range(n)]
    described = {
        keys.NAME: [NAMES[k % len(NAMES)] for k in range(n)],
        keys.SMILES: smiles,
        keys.INCHIKEY: [Chem.MolToInchiKey(Chem.MolFromSmiles(one)) for one in smiles],
        "mechanism": mechanisms or [None if k == 0 else ("=A1", "b", "c")[k % 3] for k in range(n)],
        "weight": np.linspace(-1, 1, n),
        "fold_0": [keys.TEST if k % 2 == 0 else keys.TRAIN for k in range(n)],
    }
    return pd.DataFrame(described, index=[f"c{k}" for k in range(n)])


def embedding(obs: pd.DataFrame, codes: np.ndarray) -> anndata.AnnData:
    adata = anndata.AnnData(np.zeros((len(obs), 1), np.float32), obs=obs)
    for key, width in ((keys.X_SHARED, 5), (keys.X_SPECIFIC, 4), (keys.X_UMAP, 2), (keys.X_UMAP_SPECIFIC, 2)):
        adata.obsm[key] = codes[:, :width].astype(np.float32)
    return adata


def make_inputs(folder: Path, n: int = 24, mechanisms: list[str | None] | None = None) -> dict[str, Path]:
    """What the steps before would have written; names of the paths are those of the step."""
    rng = np.random.default_rng(0)
    known = molecules(n, mechanisms)
    wells = pd.DataFrame(
        {
            keys.COMPOUND_ID: np.repeat(known.index, 2),
            keys.PLATE: ["P1", "P2"] * n,
            keys.BATCH: "b",
            keys.DOSE_UM: 1.0,
            keys.TREATMENT: np.repeat([f"{one}@1uM" for one in known.index], 2),
        },
        index=[f"w{k}" for k in range(2 * n)],
    )
    profiles = rng.normal(size=(2 * n, 3)).astype(np.float32)
    profiles[0, 0] = np.nan
    profiles[:2, 1] = np.nan
    var = pd.DataFrame({keys.COMPARTMENT: ["Cells", "Cells", "Nuclei"], keys.CHANNEL: ["DNA", "ER", None]}, list("xyz"))
    phenotype = anndata.AnnData(profiles, wells, var)
    molecule = anndata.AnnData(
        np.eye(n, dtype=np.float32), storable(known), pd.DataFrame({"featurizer": "m"}, [f"m{k}" for k in range(n)])
    )
    names = {name: folder / file for name, file in (("pairs", "pairs.h5mu"), ("table", "table.tsv"))}
    folder.mkdir(parents=True, exist_ok=True)
    write_pairs(names["pairs"], as_mudata(phenotype, molecule))
    where = folder / "fold~0"
    names |= {name: where / f"{name}.h5ad" for name in ("compounds", "molecules")}
    roles = {keys.SPLIT: known["fold_0"], keys.COMPOUND_ID: known.index}
    order = rng.permutation(n)
    codes = rng.normal(size=(n, 6))
    of_rows = known[[keys.NAME, keys.SMILES]].assign(**roles, plate="P1|P2", batch="b")
    write_anndata(names["compounds"], embedding(of_rows.iloc[order], codes[order]), {})
    noisy = codes + 0.5 * rng.normal(size=codes.shape)
    write_anndata(names["molecules"], embedding(of_rows, noisy), {})
    tested = known.index[known["fold_0"] == keys.TEST]
    rows = known.index.get_indexer(tested)
    queries = evaluate_embedding(
        codes[rows, :5], pd.DataFrame({keys.COMPOUND_ID: tested, keys.BATCH: "b"}, index=tested), noisy[rows, :5], list(tested),
        "compound", method="dssl", fold="0", pairings=Pairings(100, rng),
    ).queries  # fmt: skip
    found = held_out_ranks(queries).assign(training_similarity=0.3)
    activity = pd.DataFrame({"activity_map": 0.5, "activity_p_fdr": 0.01, "active": True}, index=known.index[1:])
    table = compound_table(
        [known.index[k] for k in order], known, wells, ["mechanism", "weight"], found, activity,
        known["fold_0"] == keys.TRAIN, 0.4, 0.9,
    )  # fmt: skip
    write_table(
        names["table"], table.assign(**{name: table[name].map({True: "true", False: "false"}) for name in YES_NO})
    )
    names["attribution"] = folder / "attribution.tsv"
    shares = {"shared": [0.2, 0.4], "specific": [0.1, 0.3], "both": 0.1, "neither": [0.6, 0.2], "r2_shared": 0.3}
    others = {
        "r2_specific": 0.3,
        "r2_all": 0.4,
        "chance_r2_shared": 0.0,
        "chance_r2_specific": 0.0,
        "chance_r2_all": 0.0,
    }
    described = {"feature": "x", "fold": ["0", "1"], **shares, **others, keys.COMPARTMENT: "Cells"}
    write_table(names["attribution"], pd.DataFrame(described))
    names["calibration"] = folder / "calibration.tsv"
    grid = {"score": [-1.0, 1.0], "percentile_match": [0.0, 1.0], "percentile_other": [0.0, 1.0]}
    ratios = {"likelihood_ratio": [0.5, 20.0], "ratio_low": [0.4, 10.0], "ratio_high": [0.6, 40.0], "level": "compound"}
    write_table(names["calibration"], pd.DataFrame({**grid, **ratios}))
    return names


def make_handover(
    folder: Path, n: int = 24, mechanisms: list[str | None] | None = None, second_assay: str = "", **settings: int
) -> Path:
    """Run the step on a made-up screen; gives the folder that it wrote."""
    inputs = make_inputs(folder / "inputs", n, mechanisms)
    page = folder / "inputs" / "report.html"
    page.write_text("<p>report</p>")
    out = folder / "handover"
    handover(
        settings=HandoverSettings(**settings),
        screen="made-up",
        title="<b>Made & up</b>",
        fold="0",
        simulated=True,
        second_assay=second_assay,
        fold_compounds=[inputs["compounds"]],
        fold_molecules=[inputs["molecules"]],
        pages=[page],
        copies=[out / "report.html"],
        **inputs,
        **{name: out / file for name, file in OUTPUTS.items()},
    )
    return out
