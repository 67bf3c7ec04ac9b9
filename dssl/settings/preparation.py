"""Settings of the steps before training: one class per step, named after it."""

from typing import Literal

from pydantic import Field, model_validator

from dssl.settings.base import Settings

Featurizer = Literal[
    "morgan_count",
    "morgan_bit",
    "feature_morgan_count",
    "atom_pair_count",
    "topological_torsion_count",
    "maccs",
    "rdkit_descriptors",
]


class SimulateScreenSettings(Settings):
    """A screen with planted factors and the anatomy of a real one."""

    n_compounds: int = Field(320, ge=20, description="compounds in the library")
    n_plate_maps: int = Field(4, ge=1, description="384-well plate layouts the compounds are spread over")
    n_replicates: int = Field(2, ge=1, description="plates per layout; each replicate lies in another batch")
    doses_um: list[float] = Field([1.0, 10.0], min_length=1, description="doses of every compound, in uM")
    n_features: int = Field(240, ge=60, description="CellProfiler-style features")
    inactive_fraction: float = Field(0.2, ge=0, lt=1, description="share of compounds that do nothing")
    dead_well_fraction: float = Field(0.005, ge=0, lt=0.2, description="share of wells that are empty")
    shared_strength: float = Field(1.0, ge=0, description="size of the factor that structure and phenotype share")
    specific_strength: float = Field(1.0, ge=0, description="size of the cell state that structure cannot tell")
    plate_strength: float = Field(1.0, ge=0, description="size of plate, batch and edge effects")
    noise: float = Field(0.7, ge=0, description="well-to-well noise, against unit factors")
    seed: int = Field(0, ge=0, description="seed of everything random in the simulation")

    def plate_names(self) -> list[str]:
        """Names of the plates, replicate by replicate."""
        return [
            f"map{plate_map:02d}_rep{replicate}"
            for replicate in range(1, self.n_replicates + 1)
            for plate_map in range(1, self.n_plate_maps + 1)
        ]


class PublicFile(Settings):
    """One file of a public screen."""

    address: str | None = Field(None, description="pinned address; null: the file is only taken from folder")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="checksum that the file must have")
    licence: str = Field(description="licence under which the file may be used")


class FetchScreenSettings(Settings):
    """Public files of a screen, by the name they get in `results/<screen>/fetch_screen/`."""

    files: dict[str, PublicFile] = Field(min_length=1, description="file name: address, sha256, licence")
    folder: str | None = Field(
        None, description="folder that already holds the files; the variable DSSL_MIRROR goes before it"
    )


class StandardizeMoleculesSettings(Settings):
    """From SMILES to one clean record per molecule."""

    largest_fragment: bool = Field(True, description="keep the largest fragment only (removes salts and solvents)")
    mixtures: Literal["refuse", "largest"] = Field(
        "refuse",
        description="a mixture (picrotoxin: two compounds, neither a counter-ion nor a solvent) is rejected, or its"
        " largest fragment stands for it; only with largest_fragment",
    )
    neutralize: bool = Field(True, description="neutralise charges where a proton can be added or removed")
    canonical_tautomer: bool = Field(False, description="replace by RDKit's canonical tautomer (slow)")
    merge_by: Literal["inchikey", "skeleton"] = Field(
        "inchikey", description="molecules that agree in this are one compound (skeleton: ignores stereochemistry)"
    )
    max_heavy_atoms: int = Field(150, ge=1, description="reject molecules with more heavy atoms")


class FeaturizeMoleculesSettings(Settings):
    """From molecules to a matrix with named features; nothing is fitted."""

    featurizers: list[Featurizer] = Field(
        [
            "morgan_count",
            "feature_morgan_count",
            "atom_pair_count",
            "topological_torsion_count",
            "rdkit_descriptors",
        ],
        min_length=1,
        description="blocks, concatenated in this order; each gives a kernel, and the kernels are averaged",
    )
    radius: int = Field(2, ge=0, le=6, description="radius of Morgan fingerprints, in bonds")
    n_bits: int = Field(2048, ge=64, description="length of each hashed fingerprint")

    @model_validator(mode="after")
    def _no_repeats(self) -> "FeaturizeMoleculesSettings":
        if len(set(self.featurizers)) != len(self.featurizers):
            raise ValueError("every featurizer may be named once")
        return self


class NormalizePlateSettings(Settings):
    """Each plate against its own controls, and quality flags."""

    method: Literal["median_mad", "mean_std", "none"] = Field(
        "median_mad", description="centre and scale taken from the plate's controls; none: values are left as they are"
    )
    min_controls: int = Field(8, ge=2, description="fewest passing control wells that a plate needs")
    fallback: Literal["error", "all_wells"] = Field(
        "error", description="what a plate with too few controls does: stop, or use all its wells (logged)"
    )
    min_scale: float = Field(
        1e-6, gt=0, description="a scale below this counts as zero: MAD falls back to standard deviation, else missing"
    )
    clip: float | None = Field(100.0, gt=0, description="clip normalised values to [-clip, clip]; null: do not")
    max_missing_fraction: float = Field(
        0.1, ge=0, le=1, description="a well that lacks more than this share of features is flagged qc_missing"
    )
    dead_cell_count: float = Field(
        0.05, ge=0, lt=1, description="a well with fewer cells than this share of the control median is flagged qc_dead"
    )
    outlier_z: float = Field(
        6.0, gt=0, description="a control well whose median absolute z exceeds this is flagged qc_outlier and not used"
    )
    position: Literal["none", "median_polish"] = Field(
        "none",
        description="median_polish: subtract the row and column effects of the plate's controls (Tukey) before scaling",
    )
    min_position_controls: int = Field(
        3, ge=2, description="a row or column with fewer passing controls has no effect to subtract"
    )


class AssembleProfilesSettings(Settings):
    """All plates in one AnnData of comparable profiles."""

    blocklist: bool = Field(True, description="drop features on the CellProfiler blocklist of pycytominer")
    max_missing_fraction: float = Field(
        0.05, ge=0, lt=1, description="drop features missing in more than this share of the wells of any plate"
    )
    max_control_correlation: float | None = Field(
        None,
        gt=0,
        le=1,
        description="of two features correlated above this among all controls one is dropped; null: keep all",
    )
    min_controls: int = Field(
        8, ge=2, description="fewest passing controls of a batch (or of the screen) for what is fitted on them here"
    )
    position: Literal["none", "median_polish", "well"] = Field(
        "none",
        description="subtract what the controls of all plates have in common in a row and a column, or at a well",
    )
    min_position_controls: int = Field(
        3, ge=2, description="a row, column or well position with fewer passing controls is left as it is"
    )
    standardize: Literal["none", "batch", "all"] = Field(
        "none", description="median and MAD once more, from the controls of each batch or of all plates"
    )
    combat: bool = Field(
        False, description="ComBat (scanpy), fitted on the controls of every batch and applied to all its wells"
    )
    sphering: bool = Field(False, description="whiten with the covariance of the controls (TVN)")
    sphering_scope: Literal["all", "batch"] = Field(
        "all", description="whose controls: those of all plates, or of the well's own batch"
    )
    sphering_epsilon: float = Field(0.1, gt=0, description="added to the eigenvalues of the controls' correlation")


class PairAndSplitSettings(Settings):
    """Which profile belongs to which molecule, and which compounds are held out."""

    split: Literal["random", "skeleton", "scaffold", "cluster", "column", "plate", "batch", "dose"] = Field(
        "skeleton",
        description="what may not straddle two folds (random: the compound; cluster: similar molecules; column: the "
        "user's folds; plate, batch, dose: wells)",
    )
    cluster_distance: float = Field(
        0.6, gt=0, lt=1, description="with split: cluster, Butina's cut-off, a Tanimoto distance (1 - similarity)"
    )
    known_compounds: Literal["left_out", "queried"] = Field(
        "left_out",
        description="with split: plate, batch or dose, of compounds on both sides only the held-out wells are used "
        "(left_out: only unseen compounds are queried), or the others are trained on (queried: known compounds)",
    )
    fold_column: str | None = Field(
        None, description="with split: column, the kept column whose values are the folds, taken as they are"
    )
    group_columns: list[str] = Field(
        [], description="kept molecule columns; compounds that agree in one of them never straddle a split"
    )
    one_per: str | None = Field(
        None, description="kept molecule column; rows that agree in it are one observation, the first is used"
    )
    exclude_flags: list[Literal["qc_missing", "qc_dead", "qc_outlier"]] = Field(
        ["qc_missing", "qc_dead"], description="wells with one of these flags are not used (and are listed)"
    )
    pool: Literal["none", "mean", "modz"] = Field(
        "none", description="replicate wells of a treatment become one profile: their mean, or weighted by agreement"
    )
    pool_by: list[str] = Field(
        [], description="columns that pooled wells must agree in beside compound and dose (plate, batch, a kept column)"
    )
    n_folds: int = Field(5, ge=2, description="test folds; with split: column, the number of distinct values")
    n_repeats: int = Field(
        1, ge=1, description="times that the folds are assigned anew; folds are numbered on over the repeats"
    )
    validation_fraction: float = Field(
        0.15, gt=0, lt=0.5, description="share of the compounds outside the test fold that choose the model"
    )
    refit: bool = Field(
        True, description="also train the model of fold `full`, without test compounds, for hand-over and new data"
    )
    seed: int = Field(0, ge=0, description="seed of the assignment to folds")

    @model_validator(mode="after")
    def _column_is_named(self) -> "PairAndSplitSettings":
        if (self.split == "column") != (self.fold_column is not None):
            raise ValueError("fold_column belongs to split: column, and only to it")
        if self.split == "column" and self.n_repeats > 1:
            raise ValueError("n_repeats above 1 needs folds that are drawn; with split: column they are the user's")
        return self


class HarmonySettings(Settings):
    """Harmony (harmonypy): clusters that mix the batches, and a linear correction of every batch in each of them."""

    n_clusters: int | None = Field(
        None, ge=1, description="soft clusters; null: one for 30 training wells, 100 at most"
    )
    theta: float = Field(2.0, ge=0, description="how strongly clusters are made to mix the batches")
    ridge: float = Field(1.0, gt=0, description="ridge on a batch's offset within a cluster, in wells")
    sigma: float = Field(0.1, gt=0, description="width of the soft assignment to clusters, on 2 (1 - cosine)")
    max_iterations: int = Field(10, ge=1, description="rounds of clustering and correction")
    seed: int = Field(0, ge=0, description="seed of the clusters' start")


class VariableFeaturesSettings(Settings):
    """The features that vary most over the training profiles (highly variable genes)."""

    n: int = Field(2000, ge=2, description="how many are kept")
    ranking: Literal["variance", "seurat"] = Field(
        "variance",
        description="by variance (profiles in units of their controls), or by dispersion among genes of similar mean"
        " (log expression; scanpy)",
    )


class PhenotypePreprocessingSettings(Settings):
    """Fitted on the training wells."""

    highly_variable: VariableFeaturesSettings | None = Field(
        None, description="keep only the most variable features; null: all"
    )
    min_std: float = Field(1e-3, ge=0, description="drop features whose standard deviation is below this")
    max_correlation: float | None = Field(
        0.95, gt=0, le=1, description="of two features correlated above this one is dropped; null: keep all"
    )
    min_replicate_correlation: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="drop features whose intraclass correlation between replicate wells is below this; null: keep all",
    )
    max_replicate_std: float | None = Field(
        None,
        gt=0,
        description="drop features whose mean standard deviation between replicate wells exceeds this; null: keep all",
    )
    scale: Literal["robust", "standard", "none"] = Field("robust", description="per-feature centre and scale")
    clip: float | None = Field(10.0, gt=0, description="clip scaled values to [-clip, clip]; null: do not")
    whiten: Literal["none", "half", "full"] = Field(
        "half", description="principal component scores divided by nothing, the root of, or their standard deviation"
    )
    n_components: int = Field(75, ge=1, description="principal components (at most the training profiles minus one)")
    harmony: HarmonySettings | None = Field(
        None, description="present: batches are aligned by Harmony, fitted on the training wells' components"
    )


class MoleculePreprocessingSettings(Settings):
    """Fitted on the training molecules."""

    min_count: int = Field(2, ge=1, description="vocabulary: drop features present in fewer training molecules")
    descriptor_clip: float = Field(5.0, gt=0, description="clip standardised descriptors to [-clip, clip]")
    transform: Literal["kernel_components", "log_counts"] = Field(
        "kernel_components", description="inputs: kernel principal components, or log(1 + count) and scaled descriptors"
    )
    n_components: int = Field(300, ge=1, description="kernel principal components (at most the landmarks)")
    max_landmarks: int = Field(
        5000, ge=2, description="with more training molecules, components of so many, evenly spaced (Nystroem)"
    )


class FitPreprocessingSettings(Settings):
    """Everything that is fitted before training, on training rows only."""

    phenotype: PhenotypePreprocessingSettings = PhenotypePreprocessingSettings()
    molecule: MoleculePreprocessingSettings = MoleculePreprocessingSettings()
