"""What was held out, in words: what the figures of retrieval are about."""

from dssl.settings.preparation import PairAndSplitSettings

SPLITS = {
    "random": "compounds drawn at random; close relatives of a tested compound may have been trained on",
    "skeleton": "compounds whose structure, apart from stereochemistry, is not in training; similar ones may be",
    "scaffold": "compounds whose ring system (Bemis-Murcko scaffold) is not in training",
    "cluster": "whole clusters of similar compounds: a tested compound has no close relative of its cluster in training",
    "column": "the folds of the user's own column",
}
UNITS = {"plate": "plates", "batch": "batches", "dose": "doses"}


def held_out_text(settings: PairAndSplitSettings) -> str:
    """Sentences on what is held out, what is known of it in training, and how often the folds were drawn."""
    if settings.split in UNITS:
        units = UNITS[settings.split]
        if settings.known_compounds == "queried":
            what = (
                f"new {units}, known compounds. All wells of some {units} are held out, but their compounds may have "
                f"been trained on from other {units}: the figures say how well a known compound is recognised on new "
                f"{units}, not how well an unseen one is found"
            )
        else:
            what = (
                f"new {units}, new compounds. All wells of some {units} are held out, and their compounds have no "
                "part in training, not from other wells either"
            )
    else:
        what = SPLITS[settings.split]
        if settings.split == "cluster":
            what += f" (Tanimoto distance up to {settings.cluster_distance:g} from the cluster's centre)"
    text = f"Held out: {what}. Each is tested once, in one of {settings.n_folds} folds"
    if settings.n_repeats > 1:
        return (
            f"{text}; the folds were drawn {settings.n_repeats} times anew, and figures are averaged for each compound "
            "first, so that repeats make them steadier but do not count as more compounds."
        )
    return f"{text}."
