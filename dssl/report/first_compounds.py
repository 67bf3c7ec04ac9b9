"""Which compounds to look at first: active, novel, confident; in words, as a figure, and drawn."""

from typing import Any

import pandas as pd

from dssl import keys
from dssl.report.content import (
    MISSING,
    Cell,
    Figure,
    Heading,
    Note,
    Part,
    Section,
    Table,
    Text,
    count,
    number,
    percent,
    records,
)
from dssl.report.figures import GREY, OTHER_METHODS, PALETTE, csv_text, style, svg_uri
from dssl.report.structures import structure_uri
from dssl.settings.evaluation import DescribeCompoundsSettings

N_NAMED = 5
RANKS = (
    (keys.RANK_PHENOTYPE_TO_MOLECULE, keys.PERCENTILE_PHENOTYPE_TO_MOLECULE),
    (keys.RANK_MOLECULE_TO_PHENOTYPE, keys.PERCENTILE_MOLECULE_TO_PHENOTYPE),
)


def is_yes(column: "pd.Series[bool]") -> "pd.Series[bool]":
    """Yes, where no and unknown are not."""
    return column.astype("boolean").fillna(False).astype(bool)


def first_sentences(compounds: pd.DataFrame, settings: DescribeCompoundsSettings) -> list[str]:
    """How many compounds are active, confident and novel, which stand first, and how many guessing would give."""
    held_out = compounds[compounds[list(keys.PERCENTILES)].notna().all(axis=1)]
    if held_out.empty:
        return ["No held-out compound was ranked among others, so that none can be called confidently matched."]
    active, confident, novel = (is_yes(held_out[name]) for name in (keys.ACTIVE, keys.CONFIDENT, keys.NOVEL))
    by_chance = (1 - settings.confident_above) ** 2
    is_called = held_out[keys.ACTIVE].notna().any()
    n_active = f"{active.sum():,} are active, " if is_called else "none of which could be called active or not, "
    told = [
        f"Of {count(len(held_out), 'held-out compound')}, {n_active}{confident.sum():,} are confidently matched (phenotype "
        f"and molecule find each other before at least {percent(settings.confident_above)} of the others, in both "
        f"directions; guessing in both: about {by_chance * len(held_out):.1f}), and {novel.sum():,} are novel (Tanimoto "
        f"similarity to the nearest training compound below {settings.novel_below:g})."
    ]
    everything = held_out[active & confident & novel].sort_values(keys.PRIORITY)
    if len(everything):
        names = "; ".join(_name(row) for row in records(everything.head(N_NAMED)))
        more = f" and {len(everything) - N_NAMED} more" if len(everything) > N_NAMED else ""
        told.append(f"{len(everything):,} {'is' if len(everything) == 1 else 'are'} all three: {names}{more}.")
    else:
        what = "all three" if is_called else "shown to be all three"
        told.append(f"None is {what}; the list below begins with those that come nearest to it.")
    return told


def first_section(
    compounds: pd.DataFrame, settings: DescribeCompoundsSettings, n_shown: int, examples: list[Part]
) -> Section:
    """Sentences, where all compounds stand, the first ones drawn, and sample neighbours.

    Parameters
    ----------
    compounds : the table that the step describe_compounds wrote.
    settings : thresholds of confident and novel.
    n_shown : compounds that are drawn.
    examples : held-out compounds with their nearest molecules.
    """
    how = (
        "The order is a plain rule: active compounds come before others, then confidently matched ones, then novel ones, "
        "then those with the higher of the lower percentile. All ranks are of folds in which the compound was held out. "
        "The list is a place to begin, not a finding: those who stand first were chosen because they scored best, and "
        "will do less well when they are measured again."
    )
    parts: list[Part] = [Text(how)]
    drawn = compounds[[*keys.PERCENTILES, keys.TRAINING_SIMILARITY]].notna().all(axis=1)
    if drawn.any():
        parts.append(first_figure(compounds[drawn], len(compounds), settings))
    else:
        parts.append(
            Note("No compound has both held-out ranks and a similarity to training compounds; no figure is drawn.")
        )
    if n_shown:
        parts.append(first_table(compounds, n_shown))
    parts += [Heading("What a retrieved list looks like"), *examples]
    return Section("first", "Which compounds to look at first", first_sentences(compounds, settings), parts)


def first_figure(drawn: pd.DataFrame, n_all: int, settings: DescribeCompoundsSettings) -> Figure:
    """Confidence against similarity to training compounds; active compounds filled."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.patches import Rectangle

    percentile = drawn[list(keys.PERCENTILES)].min(axis=1)
    active = is_yes(drawn[keys.ACTIVE])
    similarity = drawn[keys.TRAINING_SIMILARITY]
    with style():
        canvas = Canvas(figsize=(8.4, 4.3), layout="constrained")
        axis = canvas.subplots()
        corner = (settings.novel_below, 100 * (1 - settings.confident_above) + 2)
        axis.add_patch(Rectangle((0, 100 * settings.confident_above), *corner, color="#E6F1F8", lw=0, zorder=0))
        axis.axhline(100 * settings.confident_above, color=GREY, lw=1, zorder=0)
        axis.axvline(settings.novel_below, color=GREY, lw=1, zorder=0)
        for chosen, (face, edge), name in (
            (~active, ("none", OTHER_METHODS), "not active, or not called"),
            (active, (PALETTE[0], PALETTE[0]), "active"),
        ):
            label = f"{name} (n = {chosen.sum():,})"
            rasterized = len(drawn) > 2000
            axis.scatter(
                similarity[chosen],
                100 * percentile[chosen],
                s=20,
                lw=0.9,
                facecolors=face,
                edgecolors=edge,
                label=label,
                rasterized=rasterized,
            )
        axis.set(xlim=(0, 1.02), ylim=(-2, 102))
        axis.set_xlabel("Tanimoto similarity to the nearest training compound")
        axis.set_ylabel("library that its partner beats, in the\nworse of both directions (%)")
        canvas.legend(loc="outside right upper")
        uri = svg_uri(canvas)
    columns = [keys.COMPOUND_ID, keys.NAME, keys.ACTIVE, *keys.PERCENTILES, keys.TRAINING_SIMILARITY, keys.PRIORITY]
    left_out = (
        f" {n_all - len(drawn):,} of {n_all:,} were never held out, or have no similarity."
        if len(drawn) < n_all
        else ""
    )
    return Figure(
        f"Every dot is a held-out compound (n = {len(drawn):,}); filled: active. Higher: phenotype and molecule find each "
        "other more surely (a guess is at 33 on average, since the worse of two directions counts). Further left: the "
        "structure is less like anything that was trained on. Shaded: confident and novel. Lines: the thresholds "
        f"(describe_compounds in the settings).{left_out}",
        "Scatter of match percentile against similarity to training compounds",
        uri,
        "first-compounds",
        csv_text(drawn[columns].sort_values(keys.PRIORITY)),
    )


def first_table(compounds: pd.DataFrame, n_shown: int) -> Table:
    """The first compounds, with their structures."""
    shown = compounds.sort_values(keys.PRIORITY).head(n_shown)
    rows = [
        [
            Cell(
                _name(row),
                str(row[keys.COMPOUND_ID]),
                drawing=structure_uri(str(row[keys.SMILES]), 150, 110),
                quoted=True,
            ),
            Cell(str(row[keys.PRIORITY_REASON]), quoted=True),
            Cell(_activity(row), count(int(row[keys.N_WELLS]), "well")),
            *(_rank(row, rank, percentile) for rank, percentile in RANKS),
            Cell(number(_float(row[keys.TRAINING_SIMILARITY]), 2)),
        ]
        for row in records(shown)
    ]
    caption = (
        f"The {count(len(shown), 'compound')} that stand first of {len(compounds):,}; the table describe_compounds/compounds.tsv "
        "has all of them. Activity: replicate mAP, and its p corrected for all compounds. Ranks: of held-out compounds, "
        "with the size of the library and the share of it that is beaten; a blind guess stands in the middle. Similarity: "
        "Tanimoto, to the nearest training compound of that fold."
    )
    columns = [
        "compound",
        "why",
        "activity",
        "its molecule, from the phenotype",
        "its phenotype, from the molecule",
        "similarity",
    ]
    return Table(caption, columns, rows, n_labels=2)


def _activity(row: "dict[str, object]") -> str:
    score, p_value = _float(row[keys.ACTIVITY_MAP]), _float(row[keys.ACTIVITY_P_FDR])
    return MISSING if pd.isna(score) else f"{number(score, 2)}, p = {number(p_value, 2)}"


def _rank(row: "dict[str, object]", rank: str, percentile: str) -> Cell:
    if pd.isna(_float(row[rank])):
        return Cell(MISSING, "never held out")
    beaten = percent(_float(row[percentile]))
    return Cell(f"{_float(row[rank]):g} of {_float(row[keys.LIBRARY_SIZE]):.0f}", f"beats {beaten}")


def _name(row: "dict[str, Any]") -> str:
    name = row.get(keys.NAME)
    return str(row[keys.COMPOUND_ID]) if name is None or pd.isna(name) or name == "" else str(name)


def _float(value: Any) -> float:
    return float("nan") if pd.isna(value) else float(str(value))
