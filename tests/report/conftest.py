"""A small made-up screen as the steps before the report would have written it."""

import json
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from dssl import keys
from dssl.settings.evaluation import ReportSettings
from dssl.settings.screen import ScreenSettings, parse_screen

SMILES = ["CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CCN", "c1ccncc1", "CC(C)C", "OCC(O)CO", "C1CCCCC1"]
METHODS = ("dssl", "kernel_ridge", "nearest_neighbor", "random")
METRICS = ("top_1", "top_5", "top_10", "top_1pct", "mrr", "mean_normalized_rank")


@dataclass(frozen=True)
class MadeUp:
    """Folder of the files, and the arguments of the step `report`."""

    folder: Path
    arguments: dict[str, Any]


def screen_settings() -> ScreenSettings:
    return parse_screen({"screen": "made-up", "simulate_screen": {}}, "test")


def embedding(n: int, rng: np.random.Generator, name: str) -> anndata.AnnData:
    obs = pd.DataFrame(
        {
            keys.COMPOUND_ID: [f"C{k}" for k in range(n)],
            keys.NAME: [name if k == 0 else f"compound {k}" for k in range(n)],
            keys.SMILES: [SMILES[k % len(SMILES)] for k in range(n)],
            keys.BATCH: [f"batch{k % 2}" for k in range(n)],
            keys.SPLIT: [keys.TEST if k % 2 == 0 else keys.TRAIN for k in range(n)],
            "mechanism": [name if k == 0 else f"_mechanism {k % 15} $x$" for k in range(n)],
            "weight": rng.normal(size=n),
        },
        index=[f"C{k}" for k in range(n)],
    )
    adata = anndata.AnnData(rng.normal(size=(n, 4)).astype(np.float32), obs=obs)
    for key, width in ((keys.X_SHARED, 6), (keys.X_SPECIFIC, 6), (keys.X_UMAP, 2), (keys.X_UMAP_SPECIFIC, 2)):
        values = rng.normal(size=(n, width)).astype(np.float32)
        adata.obsm[key] = values / np.linalg.norm(values, axis=1, keepdims=True)
    return adata


def retrieval_table(methods: tuple[str, ...] = METHODS) -> pd.DataFrame:
    rows = []
    for (rank, method), fold, level, direction, library, metric in product(
        enumerate(methods),
        ("0", "all"),
        ("compound", "treatment", "well"),
        ("phenotype_to_molecule", "molecule_to_phenotype"),
        ("whole", "batch"),
        METRICS,
    ):
        value = 0.3123 - 0.05 * rank
        rows.append(
            (
                method,
                fold,
                level,
                direction,
                library,
                metric,
                value,
                value - 0.03,
                value + 0.03,
                0.05,
                0.004,
                90,
                44,
                107.0,
            )
        )
    columns = ["method", "fold", "level", "direction", "library", "metric", "value", "ci_low", "ci_high", "chance"]
    return pd.DataFrame(rows, columns=[*columns, "p_value", "n_queries", "n_compounds", "library_size"])


def comparison_rows(gain: float, p_value: float) -> pd.DataFrame:
    """Comparisons of the model with every other method: so much better, or worse, in both metrics."""
    rows = [
        (
            "dssl",
            method,
            direction,
            library,
            "compound",
            metric,
            difference,
            difference - 0.04,
            difference + 0.04,
            p_value,
            44,
            p_value,
        )
        for method, direction, library, (metric, difference) in product(
            METHODS[1:],
            ("phenotype_to_molecule", "molecule_to_phenotype"),
            ("whole", "batch"),
            (("mrr", gain), ("mean_normalized_rank", -gain)),
        )
    ]
    columns = ["method_a", "method_b", "direction", "library", "level", "metric", "difference", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*columns, "p_value", "n_compounds", "p_holm"])


def strata_table() -> pd.DataFrame:
    strata = {
        "nearest_training_similarity": ("0 to 0.3", "0.3 to 1"),
        "profile_length": ("lowest third", "highest third"),
    }
    rows = [
        (
            by,
            name,
            "compound",
            direction,
            library,
            method,
            metric,
            value,
            value - 0.1,
            value + 0.2,
            0.05,
            20 + place,
            22,
            40.0,
        )
        for by, names in strata.items()
        for (place, name), direction, library, (value, method), metric in product(
            enumerate(names),
            ("phenotype_to_molecule", "molecule_to_phenotype"),
            ("whole", "batch"),
            zip((0.4, 0.3, 0.35, 0.06), METHODS, strict=True),
            ("mrr", "mean_normalized_rank"),
        )
    ]
    columns = ["by", "stratum", "level", "direction", "library", "method", "metric", "value", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*columns, "chance", "n_compounds", "n_queries", "library_size"])


def enrichment_table() -> pd.DataFrame:
    rows = [
        (space, column, method, 0.3, 0.1, 3.0, 2.0, 4.0, 4.2, 2.5, 6.0, 0.001, 44, 5, 0.004)
        for space, column, method in product(
            ("phenotype", "molecule", "phenotype_to_molecule"), ("mechanism",), ("dssl", "dssl_specific", "profiles")
        )
    ]
    columns = ["space", "column", "method", "sharing", "expected", "fold_enrichment", "fold_enrichment_low"]
    columns += ["fold_enrichment_high", "odds_ratio", "odds_ratio_low", "odds_ratio_high", "p_value", "n_compounds"]
    return pd.DataFrame(rows, columns=[*columns, "n_neighbors", "p_holm"])


def neighbor_rows(compounds: list[str], fold: str = "0") -> pd.DataFrame:
    """Neighbours of every compound: the model finds more that share a value than the control and than chance."""
    rows = [
        (space, "mechanism", method, fold, compound, sharing, 0.1, 5)
        for space, (method, sharing), compound in product(
            ("phenotype_to_molecule", "phenotype"), (("dssl", 0.4), ("kernel_ridge", 0.2), ("random", 0.1)), compounds
        )
    ]
    columns = ["space", "column", "method", "fold", "compound_id", "sharing", "expected", "n_neighbors"]
    return pd.DataFrame(rows, columns=columns)


def query_rows(compounds: list[str], fold: str = "0") -> pd.DataFrame:
    """Ranks of every compound: k-th of all for the k-th compound, by every method."""
    n = len(compounds)
    rows = [
        (method, "compound", "whole", direction, fold, compound, n, place / max(n - 1, 1))
        for method, direction, (place, compound) in product(
            METHODS, ("phenotype_to_molecule", "molecule_to_phenotype"), enumerate(compounds)
        )
    ]
    columns = ["method", "level", "library", "direction", "fold", "compound_id", "library_size", "mean_normalized_rank"]
    return pd.DataFrame(rows, columns=columns)


def compound_rows(obs: pd.DataFrame) -> pd.DataFrame:
    """The table of describe_compounds: the k-th compound has rank k + 1; every third is active."""
    n = len(obs)
    place = np.arange(n)
    percentile = 1 - place / (n - 1) if n > 1 else np.array([np.nan])
    active = np.where(place % 3 == 0, "true", "false")
    novel, confident = np.where(place % 2 == 0, "true", "false"), np.where(percentile >= 0.9, "true", "false")
    table = obs[[keys.COMPOUND_ID, keys.NAME, keys.SMILES, "mechanism"]].reset_index(drop=True)
    return table.assign(
        inchikey="", n_wells=2, n_plates=2, doses_um="10", cell_count=np.nan, activity_map=0.6, activity_p_fdr=0.02,
        active=active, fold="0", library_size=n, chance_rank=(n + 1) / 2, rank_phenotype_to_molecule=place + 1,
        percentile_phenotype_to_molecule=percentile, rank_molecule_to_phenotype=place + 1,
        percentile_molecule_to_phenotype=percentile, training_similarity=np.where(place % 2 == 0, 0.2, 0.6),
        seen_in_handover_model="true", priority=place + 1, priority_reason="active; found", novel=novel,
        confident=confident,
    )  # fmt: skip


def probe_rows(folds: list[str]) -> pd.DataFrame:
    rows = []
    for fold, (column, kind, level), code in product(
        folds,
        (("mechanism", "classes", "compound"), ("cell_count", "numeric", "well"), ("constant", "classes", "compound")),
        ("shared_phenotype", "specific_phenotype", "shared_molecule", "specific_molecule"),
    ):
        done = column != "constant" and not (level == "well" and code.endswith("molecule"))
        scores = (0.62, 0.55, 0.7, 0.2, 0.002) if done else (np.nan,) * 5
        name = "r2" if kind == "numeric" else "balanced_accuracy"
        rows.append((code, column, kind, name, *scores, 50, 40, 2, "" if done else "constant", level, fold))
    columns = ["code", "column", "kind", "score_name", "score", "ci_low", "ci_high", "chance", "p_value", "n_rows"]
    return pd.DataFrame(rows, columns=[*columns, "n_groups", "n_rows_left_out", "skipped_reason", "level", "fold"])


def dependence_rows(folds: list[str]) -> pd.DataFrame:
    pairs = [("shared_phenotype", "shared_molecule"), ("specific_phenotype", "shared_phenotype")]
    rows = [(a, b, m, 0.41, 0.12, 0.002, 53, f) for (a, b), m, f in product(pairs, ("linear_cka", "hsic"), folds)]
    rows += [("shared_phenotype", "shared_phenotype", "participation_ratio", 9.8, np.nan, np.nan, 53, f) for f in folds]
    return pd.DataFrame(rows, columns=["code_a", "code_b", "measure", "value", "chance", "p_value", "n_rows", "fold"])


def information_rows(betas: tuple[float, ...] = (0.001, 0.01, 0.1)) -> pd.DataFrame:
    rows = []
    for modality, (number, beta) in product(("molecule", "phenotype"), enumerate(betas)):
        lower, upper = 2.0 - 0.5 * number, 30.0 / (1 + number) ** 2
        bounds = (lower, lower - 0.1, lower + 0.1, upper, upper - 1, upper + 1)
        rows.append((modality, beta, *bounds, 4.0, 6, 2 * (number == 1), number == 1))
    bounds = [f"{name}{end}" for name in ("infonce_lower", "kl_upper") for end in ("", "_lowest", "_highest")]
    return pd.DataFrame(rows, columns=["modality", "beta", *bounds, "log_n", "n_models", "n_folds_chosen", "knee"])


def attribution_rows(folds: list[str]) -> pd.DataFrame:
    groups = [("all", "all features"), ("pathway", "up $x$"), ("pathway", "down")]
    rows = [(*group, f, 12, 1, 0.4, 0.2, 0.1, 0.3, 0.01, 0.0, 0.0) for group, f in product(groups, folds)]
    columns = ["grouping", "group", "fold", "n_features", "n_left_out", "shared", "specific", "both", "neither"]
    return pd.DataFrame(rows, columns=[*columns, "chance_r2_shared", "chance_r2_specific", "chance_r2_all"])


def leakage_rows(folds: list[str], p_specific: float = 0.4) -> pd.DataFrame:
    directions = ("phenotype_to_molecule", "molecule_to_phenotype")
    kinds = (("shared", 0.31, 0.002), ("specific", 0.06, p_specific))
    rows = [
        (code, alignment, direction, mrr, mrr - 0.02, mrr + 0.02, 0.05, p_value, 53, fold)
        for (code, mrr, p_value), alignment, direction, fold in product(kinds, ("raw", "aligned"), directions, folds)
    ]
    columns = ["code", "alignment", "direction", "mrr", "ci_low", "ci_high", "chance", "p_value", "n_compounds"]
    return pd.DataFrame(rows, columns=[*columns, "fold"])


def well_profiles(rng: np.random.Generator, plates: list[str]) -> anndata.AnnData:
    wells = [(plate, f"{chr(65 + row)}{column + 1:02d}") for plate in plates for row in range(4) for column in range(6)]
    obs = pd.DataFrame(wells, columns=[keys.PLATE, keys.WELL])
    obs.index = (obs[keys.PLATE] + ":" + obs[keys.WELL]).to_list()
    values = rng.normal(size=(len(obs), 5)).astype(np.float32)
    values[0] = np.nan
    return anndata.AnnData(values, obs=obs)


def quality_table(plate: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "plate": [plate], "batch": ["b1"], "n_wells": [24], "n_controls": [4], "n_treated": [20],
            "qc_missing": [1], "qc_dead": [0], "qc_outlier": [0], "n_flagged": [1], "n_passing_controls": [4],
            "control_correlation": [0.11], "treated_correlation": [0.21], "control_magnitude": [0.67],
            "treated_magnitude": [1.234], "control_cell_count": [np.nan], "treated_cell_count": [np.nan],
        }
    )  # fmt: skip


def activity_table(compounds: list[str]) -> pd.DataFrame:
    n = len(compounds)
    table = pd.DataFrame({"compound_id": compounds, "n_wells": 4, "n_controls": 30.0, "mean_average_precision": 0.6})
    table = table.assign(chance=0.2, p_value=0.01, q_value=0.02, active=[k % 3 == 0 for k in range(n)], reason="")
    unknown = ["n_controls", "mean_average_precision", "chance", "p_value", "q_value", "active"]
    table[unknown] = table[unknown].astype(object)
    table.loc[n - 1, [*unknown, "reason"]] = [None] * len(unknown) + ["one well only"]
    return table


def preprocessing_table() -> pd.DataFrame:
    rows = []
    for choice, shift in (("as configured", np.nan), ("sphering", 0.05), ("Harmony", np.nan)):
        for metric in ("replicate mAP", "mechanism mAP", "batch mAP", "plate mAP"):
            value = np.nan if choice == "Harmony" else 0.4 + np.nan_to_num(shift)
            reason = "aligns batches, but there is one only" if choice == "Harmony" else ""
            bounds = [shift, shift - 0.02, shift + 0.02, np.nan if np.isnan(shift) else 0.003]
            rows.append([choice, metric, value, value - 0.1, value + 0.1, 0.1, 40, *bounds, reason])
    columns = ["choice", "metric", "value", "ci_low", "ci_high", "chance", "n_compounds"]
    columns += ["difference", "difference_low", "difference_high", "p_value", "reason"]
    return pd.DataFrame(rows, columns=columns)


class Writer:
    """Writes the files of a made-up screen below a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def table(self, name: str, frame: pd.DataFrame) -> Path:
        path = self.path(name)
        frame.to_csv(path, sep="\t", index=False)
        return path

    def adata(self, name: str, adata: anndata.AnnData) -> Path:
        path = self.path(name)
        adata.write_h5ad(path)
        return path

    def text(self, name: str, text: str) -> Path:
        path = self.path(name)
        path.write_text(text)
        return path


def write_training(writer: Writer, folds: list[str]) -> dict[str, list[Path]]:
    candidates = pd.DataFrame(
        {"beta": [0.01, 0.01], "lam": [1.0, 10.0], "mrr": [0.2, 0.2], "shared_contrastive": [3.1, 3.1],
         "specific_contrastive": [2.9, 3.4], "selected": [True, False]}
    )  # fmt: skip
    history = "".join(
        json.dumps(
            {"epoch": epoch, "train_loss": 4 / epoch} | ({"validation_loss": 5 / epoch} if epoch % 2 == 0 else {})
        )
        + "\n"
        for epoch in range(1, 7)
    )
    found: dict[str, list[Path]] = {"candidates": [], "selected": [], "shared_histories": [], "specific_histories": []}
    for fold in folds:
        found["candidates"].append(writer.table(f"select_model/fold~{fold}/candidates.tsv", candidates))
        chosen = json.dumps({"beta": 0.01, "lam": 1.0, "reason": "the best validation mrr"})
        found["selected"].append(writer.text(f"select_model/fold~{fold}/selected.json", chosen))
        found["shared_histories"].append(
            writer.text(f"train_shared/fold~{fold}/beta~0.01/seed~0/history.jsonl", history)
        )
        for lam in ("1", "10"):
            name = f"train_specific/fold~{fold}/beta~0.01/lambda~{lam}/seed~0/history.jsonl"
            # the history of the model that was not chosen is no JSON: it must not be read
            found["specific_histories"].append(writer.text(name, history if lam == "1" else "not chosen"))
    return found


def write_counterfactuals(writer: Writer) -> dict[str, Path]:
    """Tables of a screen in which no profile could be predicted: see test_counterfactuals_section.py for the others."""
    columns = {
        "counterfactuals": ["context_column", "task", "method", "metric", "value"],
        "counterfactual_tests": ["context_column", "task", "method_b", "metric"],
        "decoded": ["context_column", "grouping", "group"],
    }
    reason = {"context_column": ["plate"], "task": ["transfer"], "treatment": [None], "reason": ["one plate only"]}
    found = {name: writer.table(f"{name}.tsv", pd.DataFrame(columns=names)) for name, names in columns.items()}
    return {**found, "not_predicted": writer.table("not_predicted.tsv", pd.DataFrame(reason))}


def make_up(
    folder: Path,
    n_compounds: int = 40,
    folds: tuple[str, ...] = ("0", "1", "full"),
    user_text: str = "aspirin",
    full: bool = True,
) -> MadeUp:
    writer, rng = Writer(folder), np.random.default_rng(0)
    plates = [f"P{k}" for k in range(3)] if full else ["P0"]
    compounds = embedding(n_compounds, rng, user_text)
    molecules = compounds.copy()
    molecules.obs = molecules.obs.drop(columns=["batch"])
    molecules.obsm[keys.X_SHARED] = (
        molecules.obsm[keys.X_SHARED] + rng.normal(size=(n_compounds, 6)).astype(np.float32) / 5
    )
    ids = compounds.obs[keys.COMPOUND_ID].to_list()
    reasons = (
        ["control"] * 12 + ["qc_missing"] * 2 + [f"compound '{user_text}' is not among the molecules"] if full else []
    )
    excluded = pd.DataFrame({"well": "A01", "plate": "P0", "compound_id": "x", "reason": reasons})
    roles = {keys.fold_column(fold): ["train", *["test"] * (n_compounds - 1)] for fold in folds}
    test_folds = [fold for fold in folds if fold != "full"]
    molecule_list = pd.DataFrame({"compound_id": ids + ["unpaired"] * full, "name": "n", "smiles": "C"})
    rejected = pd.DataFrame(
        {
            "input_id": ["bad"] * full,
            "smiles": [user_text] * full,
            "reason": ["SMILES cannot be parsed (syntax)"] * full,
        }
    )
    merged = pd.DataFrame(
        {"input_id": ["twin"] * full, "compound_id": ["C0"] * full, "reason": ["same inchikey"] * full}
    )
    unpaired = pd.DataFrame({"compound_id": ["unpaired"] * full, "reason": ["no well"] * full})
    shown = folds[-1]
    arguments: dict[str, Any] = {
        "settings": ReportSettings(
            title=f"Screen of {user_text}", n_examples=4, color_by=["mechanism", "weight", "nonsense"]
        ),
        "screen": screen_settings(),
        "simulated": True,
        "plates": [
            writer.table(
                "list_plates/0.tsv",
                pd.DataFrame(
                    {
                        "quality": [
                            str(writer.table(f"normalize_plate/{plate}.quality.tsv", quality_table(plate)))
                            for plate in plates
                        ]
                    }
                ),
            )
        ],
        "activity": writer.table("activity.tsv", activity_table(ids)),
        "comparison": writer.table("comparison.tsv", preprocessing_table()),
        "profiles": writer.adata("profiles.h5ad", well_profiles(rng, plates)),
        "dropped_features": writer.table(
            "dropped.tsv",
            pd.DataFrame({"feature": ["f"] * full, "reason": ["blocklist"] * full, "detail": [""] * full}),
        ),
        "molecules": writer.table("molecules.tsv", molecule_list),
        "rejected": writer.table("rejected.tsv", rejected),
        "merged": writer.table("merged.tsv", merged),
        "folds": writer.table("folds.tsv", pd.DataFrame({"compound_id": ids, "group": ids, **roles})),
        "excluded_wells": writer.table("excluded_wells.tsv", excluded),
        "excluded_compounds": writer.table("excluded_compounds.tsv", unpaired),
        **write_training(writer, list(folds)),
        "retrieval": writer.table("retrieval.tsv", retrieval_table()),
        "comparisons": writer.table("comparisons.tsv", comparison_rows(0.0123, 0.21)),
        "strata": writer.table("strata.tsv", strata_table()),
        "enrichment": writer.table("enrichment.tsv", enrichment_table()),
        "probes": writer.table("probes.tsv", probe_rows(test_folds)),
        "dependence": writer.table("dependence.tsv", dependence_rows(test_folds)),
        "information": writer.table("information_curve.tsv", information_rows()),
        "attribution": writer.table("attribution_groups.tsv", attribution_rows(test_folds)),
        "leakage": writer.table("leakage.tsv", leakage_rows(test_folds)),
        **write_counterfactuals(writer),
        "map_compounds": writer.adata(f"embed_screen/fold~{shown}/compounds.h5ad", compounds),
        "map_molecules": writer.adata(f"embed_screen/fold~{shown}/molecules.h5ad", molecules),
        "example_compounds": writer.adata("embed_screen/fold~0/compounds.h5ad", compounds),
        "example_molecules": writer.adata("embed_screen/fold~0/molecules.h5ad", molecules),
        "compounds": writer.table("compounds.tsv", compound_rows(compounds.obs)),
        "queries": [
            writer.table(f"evaluate_retrieval/fold~{fold}/queries.tsv", query_rows(ids, fold)) for fold in test_folds
        ],
        "assays": None,
        "without_second": None,
        "neighbors": [
            writer.table(f"evaluate_retrieval/fold~{fold}/neighbors.tsv", neighbor_rows(ids, fold))
            for fold in test_folds
        ],
        "html": folder / "report.html",
        "figures": folder / "report/figures",
    }
    return MadeUp(folder, arguments)


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The functions of this file, since tests cannot import one another's files."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    """The finished report of a screen whose user likes to type HTML."""
    from dssl.steps.report import report

    made = make_up(tmp_path_factory.mktemp("report"), user_text="<script>alert('$x_1$')</script>")
    report(**made.arguments)
    return made


@pytest.fixture(scope="session")
def made_up_page(made_up: MadeUp) -> str:
    """The page of that report."""
    return str(made_up.arguments["html"].read_text(encoding="utf-8"))
