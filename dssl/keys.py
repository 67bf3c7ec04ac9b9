"""Names of the fields that dssl writes into obs, obsm, var and uns: in one place, spelled once."""

# in place of a seed: the ensemble's member that is solved, not trained
CLOSED_FORM = "closed_form"

# modalities of the paired MuData
PHENOTYPE = "phenotype"
MOLECULE = "molecule"
MODALITIES = (PHENOTYPE, MOLECULE)
# the third, of screens with a second assay; of a paired MuData it is the molecules' featurizer
SECOND_ASSAY = "second_assay"

# obs of wells
PLATE = "plate"
WELL = "well"
BATCH = "batch"
COMPOUND_ID = "compound_id"
DOSE_UM = "dose_um"
IS_CONTROL = "is_control"
CELL_COUNT = "cell_count"
QC_MISSING = "qc_missing"
QC_DEAD = "qc_dead"
QC_OUTLIER = "qc_outlier"
QC_FLAGS = (QC_MISSING, QC_DEAD, QC_OUTLIER)
TREATMENT = "treatment"
N_WELLS = "n_wells"

# obs of molecules
NAME = "name"
SMILES = "smiles"
INCHIKEY = "inchikey"
SKELETON = "skeleton"
SCAFFOLD = "scaffold"
GROUP = "group"
CLUSTER = "cluster"

# splits: one obs column per fold, "fold_0", ..., and "fold_full" for the model trained on every compound
FULL_FOLD = "full"
TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
LEFT_OUT = "left out"  # of a well that a fold does not use
SPLIT = "split"
ORIGINAL_ID = "original_id"  # of a compound that occurs once for each of its roles in a fold

# var of molecular features and of profiles
FEATURIZER = "featurizer"
COMPARTMENT = "compartment"
CHANNEL = "channel"
MEASUREMENT = "measurement"
SYMBOL = "symbol"  # of a gene, where plates.features.annotation has such a column

# obsm of embeddings
X_SHARED = "X_shared"
X_SPECIFIC = "X_specific"
X_UMAP = "X_umap"
X_UMAP_SPECIFIC = "X_umap_specific"

# the compound table (`dssl.evaluation.compound_columns` says what each column means)
N_PLATES = "n_plates"
DOSES_UM = "doses_um"
ACTIVITY_MAP = "activity_map"
ACTIVITY_P_FDR = "activity_p_fdr"
ACTIVE = "active"
FOLD = "fold"
LIBRARY_SIZE = "library_size"
CHANCE_RANK = "chance_rank"
RANK_PHENOTYPE_TO_MOLECULE = "rank_phenotype_to_molecule"
PERCENTILE_PHENOTYPE_TO_MOLECULE = "percentile_phenotype_to_molecule"
RANK_MOLECULE_TO_PHENOTYPE = "rank_molecule_to_phenotype"
PERCENTILE_MOLECULE_TO_PHENOTYPE = "percentile_molecule_to_phenotype"
PERCENTILES = (PERCENTILE_PHENOTYPE_TO_MOLECULE, PERCENTILE_MOLECULE_TO_PHENOTYPE)
TRAINING_SIMILARITY = "training_similarity"
SEEN_IN_HANDOVER_MODEL = "seen_in_handover_model"
PRIORITY = "priority"
PRIORITY_REASON = "priority_reason"
NOVEL = "novel"
CONFIDENT = "confident"

# uns
CODE_SIZES = "code_sizes"  # of the models whose shared codes stand side by side in X_shared
CODE_KINDS = "code_kinds"  # of the same models: 0 for the trained ones, 1 for the closed form beside them
PROVENANCE = "dssl"


def fold_column(fold: str) -> str:
    """Name of the obs column that holds a compound's role ("train", "validation", "test") in `fold`."""
    return f"fold_{fold}"
