"""Section 5: maps of the codes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dssl import keys
from dssl.report.content import Figure, Note, Part, Section
from dssl.report.figures import GREY, INK, N_COLOURED, category_style, csv_text, style, svg_uri
from dssl.report.names import in_sentence, readable
from dssl.report.second_assay import reworded

if TYPE_CHECKING:
    from anndata import AnnData

OUTLINE = 0.9  # points wide, around what the model has not seen
PANELS = (
    (keys.PHENOTYPE, keys.X_UMAP, "phenotypes, shared"),
    (keys.MOLECULE, keys.X_UMAP, "molecules, shared"),
    (keys.PHENOTYPE, keys.X_UMAP_SPECIFIC, "phenotypes, specific"),
    (keys.MOLECULE, keys.X_UMAP_SPECIFIC, "molecules, specific"),
)


def maps_section(
    compounds: "AnnData", molecules: "AnnData", fold: str, color_by: Sequence[str], other: str = keys.MOLECULE
) -> Section:
    """Four maps for each column, and for the batch: phenotypes and molecules, shared and specific codes.

    `other` is what the figures say is compared with the phenotypes.
    """
    described = _described(compounds.obs, molecules.obs)
    parts: list[Part] = []
    absent = [column for column in color_by if column not in described]
    if absent:
        known = ", ".join(map(str, described.columns))
        parts.append(
            Note(f"report.color_by names {', '.join(absent)}, which these compounds do not have; they have {known}.")
        )
    for column in dict.fromkeys([*color_by, keys.BATCH]):
        if column not in described:
            continue
        if described[column].nunique(dropna=False) < 2:
            only = f"{in_sentence(column)} ({described[column].iloc[0]})"
            parts.append(Note(f"All compounds have the same {only}; no map is coloured by it."))
        else:
            parts.append(
                umap_figure(
                    compounds,
                    molecules,
                    described[column],
                    f"map-{sum(isinstance(part, Figure) for part in parts) + 1}",
                    other,
                )
            )
    text = (
        f"UMAP of the codes of the model of fold {fold}; every point is a compound (mean of its wells) or its "
        "molecule. Near points have similar codes; distances between far groups, their sizes and the axes "
        "themselves mean nothing. A map is for looking, the tables are for concluding: groups seen here count when "
        "the probes above confirm them."
    )
    return Section("maps", "Maps of the codes", [text], parts)


def _described(compounds: pd.DataFrame, molecules: pd.DataFrame) -> pd.DataFrame:
    """Columns of the compounds, and of the molecules where the compounds lack them, by compound_id."""
    first = compounds.set_index(compounds[keys.COMPOUND_ID].astype(str).to_numpy())
    second = molecules.set_index(molecules[keys.COMPOUND_ID].astype(str).to_numpy())
    return first.join(second.drop(columns=first.columns, errors="ignore"), how="left")


def umap_figure(
    compounds: "AnnData", molecules: "AnnData", values: "pd.Series[Any]", name: str, other: str = keys.MOLECULE
) -> Figure:
    """Four maps coloured by one column."""
    from matplotlib.figure import Figure as Canvas

    of_modality = {keys.PHENOTYPE: compounds, keys.MOLECULE: molecules}
    panels = [panel for panel in PANELS if panel[1] in of_modality[panel[0]].obsm]
    numeric = is_numeric_dtype(values) and not is_bool_dtype(values) and values.nunique() > N_COLOURED
    if not numeric:
        values = named(values)
    with style():
        canvas = Canvas(figsize=(8.6, 3.1 * (len(panels) // 2)), layout="constrained")
        axes = canvas.subplots(len(panels) // 2, 2, squeeze=False).ravel()
        handles: list[Any] = []
        for axis, (modality, key, title) in zip(axes, panels, strict=True):
            adata = of_modality[modality]
            own = values.reindex(adata.obs[keys.COMPOUND_ID].astype(str))
            draw = _scatter_numeric if numeric else _scatter_categories
            points = np.asarray(adata.obsm[key])
            handles = draw(axis, points, own, values)
            _outline(axis, points[_unseen(adata)])
            axis.set(xticks=[], yticks=[], xlabel="UMAP 1 (no unit)", ylabel="UMAP 2")
            axis.set_title(f"{reworded(title, other)} (n = {adata.n_obs})")
        if numeric:
            canvas.colorbar(handles[0], ax=list(axes), label=readable(str(values.name)))
        else:
            legend = canvas.legend(handles=handles, loc="outside right upper", title=_short(readable(str(values.name))))
            legend.get_title().set_parse_math(False)
            for text in legend.get_texts():
                text.set_parse_math(False)
        rest = values.nunique() > N_COLOURED and not numeric
        grey = f" The {N_COLOURED} largest of {values.nunique()} groups are coloured." if rest else ""
        column = in_sentence(str(values.name))
        seen = " Outlined: compounds that the model was not trained on." if _unseen(compounds).any() else ""
        return Figure(
            f"Coloured by {column}.{grey}{seen}",
            f"UMAPs of the codes coloured by {column}",
            svg_uri(canvas),
            name,
            csv_text(_points(panels, of_modality, values)),
        )


def _unseen(adata: "AnnData") -> NDArray[np.bool_]:
    """Rows that the model was not trained on."""
    return np.asarray(adata.obs[keys.SPLIT].astype(str) != keys.TRAIN)


def _outline(axis: Any, points: NDArray[Any]) -> None:
    axis.scatter(*points.T, s=26, facecolors="none", edgecolors=INK, lw=OUTLINE, rasterized=len(points) > 5000)


def _points(
    panels: Sequence[tuple[str, str, str]], of_modality: "dict[str, AnnData]", values: "pd.Series[Any]"
) -> pd.DataFrame:
    """Where every compound lies in every panel, and its value."""
    found = []
    for modality, key, title in panels:
        ids = of_modality[modality].obs[keys.COMPOUND_ID].astype(str)
        first, second = np.asarray(of_modality[modality].obsm[key], dtype=np.float64).T
        places = {"panel": title, keys.COMPOUND_ID: ids.to_numpy(), "umap_1": first, "umap_2": second}
        found.append(pd.DataFrame({**places, str(values.name): values.reindex(ids).to_numpy()}))
    return pd.concat(found)


def _scatter_numeric(axis: Any, points: NDArray[Any], own: "pd.Series[Any]", values: "pd.Series[Any]") -> list[Any]:
    low, high = np.nanquantile(values.to_numpy(dtype=np.float64), [0.02, 0.98])
    axis.scatter(*points.T, s=12, c=GREY, lw=0, rasterized=len(points) > 5000)
    shown = own.to_numpy(dtype=np.float64)
    return [
        axis.scatter(*points.T, s=16, c=shown, vmin=low, vmax=high, cmap="cividis", lw=0, rasterized=len(points) > 5000)
    ]


def named(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Names of groups; an empty text is a missing one."""
    return values.astype(object).where(values.astype(str).str.strip() != "")


def coloured_groups(values: "pd.Series[Any]") -> tuple[dict[str, int], dict[str, int]]:
    """Sizes of the groups that get a colour, the largest first, and of what stays grey: other groups, and not known."""
    counts = values.dropna().astype(str).value_counts()
    # a stable order among groups of equal size, so that the page is the same at every run
    names = sorted(counts.index, key=lambda name: (-counts[name], name))
    coloured = {name: int(counts[name]) for name in names[:N_COLOURED]}
    rest = {"others": int(counts[names[N_COLOURED:]].sum()), "not known": int(values.isna().sum())}
    return coloured, {words: n for words, n in rest.items() if n}


def _scatter_categories(axis: Any, points: NDArray[Any], own: "pd.Series[Any]", values: "pd.Series[Any]") -> list[Any]:
    coloured, in_grey = coloured_groups(values)
    text = own.astype(object).where(own.notna(), "").astype(str).to_numpy()
    others = ~np.isin(text, list(coloured))
    handles = []
    if others.any():
        axis.scatter(*points[others].T, s=12, c=GREY, lw=0, rasterized=len(points) > 5000)
    for number, (name, n) in enumerate(coloured.items()):
        colour, marker = category_style(number)
        chosen = text == name
        axis.scatter(*points[chosen].T, s=18, c=colour, marker=marker, lw=0, alpha=0.85, rasterized=len(points) > 5000)
        handles.append(axis.scatter([], [], s=26, c=colour, marker=marker, label=f"{_short(name)} ({n})"))
    return handles + [axis.scatter([], [], s=26, c=GREY, label=f"{words} ({n})") for words, n in in_grey.items()]


def _short(text: str, width: int = 26) -> str:
    shown = text if len(text) <= width else text[: width - 1] + "…"
    # a label that begins with an underscore would be left out of the legend
    return f" {shown}" if shown.startswith("_") else shown
