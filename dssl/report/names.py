"""Names of columns and methods as people read them, on every page."""

from dssl import keys

PREFIX = "metadata_"  # of CellProfiler's and pycytominer's descriptions of wells
UNITS = {"um": "µM", "h": "h"}  # last words of a name
ABBREVIATIONS = {"id": "ID", "moa": "MOA", "smiles": "SMILES", "inchi": "InChI", "qc": "QC", "dna": "DNA", "rna": "RNA"}
OWN = {
    keys.INCHIKEY: "InChIKey",
    keys.N_WELLS: "Wells",
    keys.N_PLATES: "Plates",
    keys.ACTIVITY_MAP: "Activity (mAP)",
    keys.ACTIVITY_P_FDR: "Activity (corrected p)",
    keys.RANK_PHENOTYPE_TO_MOLECULE: "Rank, phenotype to molecule",
    keys.PERCENTILE_PHENOTYPE_TO_MOLECULE: "Percentile, phenotype to molecule",
    keys.RANK_MOLECULE_TO_PHENOTYPE: "Rank, molecule to phenotype",
    keys.PERCENTILE_MOLECULE_TO_PHENOTYPE: "Percentile, molecule to phenotype",
    keys.TRAINING_SIMILARITY: "Similarity to training molecules",
    keys.SEEN_IN_HANDOVER_MODEL: "Seen by the maps' model",
}
METHODS = {
    "cca": "CCA",
    "dmvae": "DMVAE",
    "dmvae_as_released": "DMVAE as released",
    "focal": "FOCAL",
    "focal_as_released": "FOCAL as released",
    "infonce": "InfoNCE",
    "joint_opt": "JointOpt",
    "joint_opt_as_released": "JointOpt as released",
    "kernel_ridge": "kernel ridge on fingerprints",
    "kernel_ridge_both": "kernel ridge on both",
    "kernel_ridge_descriptors": "kernel ridge on descriptors",
    "nearest_neighbor": "nearest neighbour",
    "pls": "PLS",
}


def readable(name: str) -> str:
    """A column's name in words: "Metadata_injury_type" is "Injury type", "doses_um" is "Doses (µM)".

    Words that hold capitals beyond the first letter stay as they are ("pIC50", "MoA").
    """
    if name in OWN:
        return OWN[name]
    bare = name[len(PREFIX) :] if name.lower().startswith(PREFIX) else name
    words = bare.replace("_", " ").split()
    unit = UNITS.get(words[-1].lower(), "") if len(words) > 1 else ""
    spoken = [_word(word) for word in (words[:-1] if unit else words)]
    text = " ".join([*spoken, *([f"({unit})"] if unit else [])])
    first = spoken[0] if spoken else ""
    return text[0].upper() + text[1:] if first.islower() else text or name


def in_sentence(name: str) -> str:
    """The same inside a sentence: "injury type"; abbreviations stay as they are."""
    text = readable(name)
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def method_name(method: str) -> str:
    """A method's short name: "kernel_ridge_both" is "kernel ridge on both", "dssl_closed_form" is "dssl closed form"."""
    return METHODS.get(method, method.replace("_", " "))


def _word(word: str) -> str:
    if word.lower() in ABBREVIATIONS and word in (word.lower(), word.title()):
        return ABBREVIATIONS[word.lower()]
    return word.lower() if word.istitle() else word
