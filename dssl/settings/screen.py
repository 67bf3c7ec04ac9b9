"""A whole screen's YAML."""

from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from dssl.errors import ConfigError
from dssl.keys import CLOSED_FORM
from dssl.settings.base import Settings, explain, read_yaml
from dssl.settings.baselines import TrainBaselineSettings, TrainLearnedBaselineSettings
from dssl.settings.counterfactuals import EvaluateCounterfactualsSettings, TrainDecoderSettings
from dssl.settings.evaluation import (
    CrateSettings,
    DescribeCompoundsSettings,
    EvaluateDisentanglementSettings,
    EvaluateRetrievalSettings,
    HandoverSettings,
    LogMlflowSettings,
    ManifestSettings,
    ReportSettings,
)
from dssl.settings.explorer import ExplorerSettings
from dssl.settings.inputs import MoleculeTableSettings, PlateTableSettings
from dssl.settings.learning import (
    EmbedScreenSettings,
    SelectModelSettings,
    SweepSettings,
    TrainAssaysSettings,
    TrainSharedSettings,
    TrainSpecificSettings,
)
from dssl.settings.new_data import CalibrateScoresSettings, EmbedSettings, NewDataSettings, QuerySettings
from dssl.settings.preparation import (
    AssembleProfilesSettings,
    FeaturizeMoleculesSettings,
    FetchScreenSettings,
    FitPreprocessingSettings,
    NormalizePlateSettings,
    PairAndSplitSettings,
    SimulateScreenSettings,
    StandardizeMoleculesSettings,
)
from dssl.settings.quality import CallActivitySettings, ComparePreprocessingSettings, ListFilesSettings
from dssl.settings.second_assay import SecondAssaySettings


class ScreenSettings(Settings):
    """One screen: where its tables are, what their columns mean, and the settings of every step."""

    screen: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name; results go to results/<screen>/")
    simulate_screen: SimulateScreenSettings | None = Field(None, description="present: the screen is simulated")
    fetch_screen: FetchScreenSettings | None = Field(None, description="present: the tables are public files")
    molecules: MoleculeTableSettings = MoleculeTableSettings()
    plates: PlateTableSettings = PlateTableSettings()
    standardize_molecules: StandardizeMoleculesSettings = StandardizeMoleculesSettings()
    featurize_molecules: FeaturizeMoleculesSettings = FeaturizeMoleculesSettings()
    normalize_plate: NormalizePlateSettings = NormalizePlateSettings()
    list_files: ListFilesSettings = ListFilesSettings()
    assemble_profiles: AssembleProfilesSettings = AssembleProfilesSettings()
    second_assay: SecondAssaySettings | None = Field(
        None,
        description="present: profiles of a second assay take the place of the molecules' features; all three are "
        "compared by pairs too (train_assays)",
    )
    call_activity: CallActivitySettings = CallActivitySettings()
    pair_and_split: PairAndSplitSettings = PairAndSplitSettings()
    fit_preprocessing: FitPreprocessingSettings = FitPreprocessingSettings()
    compare_preprocessing: ComparePreprocessingSettings = ComparePreprocessingSettings()
    sweep: SweepSettings = SweepSettings()
    train_shared: TrainSharedSettings = TrainSharedSettings()
    train_specific: TrainSpecificSettings = TrainSpecificSettings()
    train_assays: TrainAssaysSettings = TrainAssaysSettings()
    select_model: SelectModelSettings = SelectModelSettings()
    embed_screen: EmbedScreenSettings = EmbedScreenSettings()
    train_baseline: TrainBaselineSettings = TrainBaselineSettings()
    train_learned_baseline: TrainLearnedBaselineSettings = TrainLearnedBaselineSettings()
    evaluate_retrieval: EvaluateRetrievalSettings = EvaluateRetrievalSettings()
    evaluate_disentanglement: EvaluateDisentanglementSettings = EvaluateDisentanglementSettings()
    train_decoder: TrainDecoderSettings = TrainDecoderSettings()
    evaluate_counterfactuals: EvaluateCounterfactualsSettings = EvaluateCounterfactualsSettings()
    calibrate_scores: CalibrateScoresSettings = CalibrateScoresSettings()
    embed: EmbedSettings = EmbedSettings()
    query: QuerySettings = QuerySettings()
    new_data: dict[str, NewDataSettings] = Field(
        {}, description="new molecules and plates by name, for `snakemake new_data`"
    )
    describe_compounds: DescribeCompoundsSettings = DescribeCompoundsSettings()
    report: ReportSettings = ReportSettings()
    handover: HandoverSettings = HandoverSettings()
    explorer: ExplorerSettings = ExplorerSettings()
    manifest: ManifestSettings = ManifestSettings()
    crate: CrateSettings = CrateSettings()
    log_mlflow: LogMlflowSettings = LogMlflowSettings()

    @model_validator(mode="after")
    def _has_a_source(self) -> "ScreenSettings":
        has_tables = bool(self.plates.tables or self.plates.plate_list)
        if self.simulate_screen and (has_tables or self.molecules.table or self.fetch_screen):
            raise ValueError(
                "a simulated screen (simulate_screen) has no tables and fetches nothing; remove one of them"
            )
        if not self.simulate_screen and not (has_tables and self.molecules.table):
            raise ValueError("name the input: molecules.table, and plates.tables or plates.plate_list")
        if self.plates.control is None and not self.simulate_screen and self.normalize_plate.method != "none":
            raise ValueError(
                "plates.control is missing; say which wells are controls, or set normalize_plate.method: none"
            )
        return self

    def members(self) -> list[str]:
        """Members of the ensemble, in order: every seed, and the closed form if it is one."""
        closed_form = self.sweep.closed_form and self.train_shared.solver == "neural"
        return [*map(str, self.sweep.seed), *([CLOSED_FORM] if closed_form else [])]

    @model_validator(mode="after")
    def _harmony_knows_the_batch(self) -> "ScreenSettings":
        pooled = self.pair_and_split.pool != "none" and "batch" not in self.pair_and_split.pool_by
        if self.fit_preprocessing.phenotype.harmony is not None and pooled:
            raise ValueError(
                "fit_preprocessing.phenotype.harmony needs the batch of every profile: add batch to pair_and_split.pool_by"
            )
        return self

    @model_validator(mode="after")
    def _two_assays_hold_out_compounds(self) -> "ScreenSettings":
        if self.second_assay is not None and self.pair_and_split.split in ("plate", "batch", "dose"):
            raise ValueError(
                f"pair_and_split.split: {self.pair_and_split.split} holds out wells of one assay; with second_assay whole "
                "compounds are held out of both: choose random, skeleton, scaffold, cluster or column"
            )
        return self

    @model_validator(mode="after")
    def _solvers_fit(self) -> "ScreenSettings":
        shared, specific = self.train_shared, self.train_specific
        if CLOSED_FORM in self.members() and (min(self.sweep.beta) <= 0 or shared.kl_scale != "nats"):
            raise ValueError(
                "sweep.closed_form needs sweep.beta above 0 (at 0 its code has no noise) and train_shared.kl_scale: nats "
                "(its codes are not von Mises-Fisher); set sweep.closed_form: false to train without it"
            )
        if specific.solver == "gaussian" and shared.solver != "gaussian":
            raise ValueError(
                "train_specific.solver: gaussian needs train_shared.solver: gaussian, for its linear codes"
            )
        if shared.solver == "gaussian" and not min(self.sweep.beta) > 0:
            raise ValueError("train_shared.solver: gaussian needs sweep.beta above 0: at 0 the code has no noise")
        if shared.solver == "gaussian" and shared.kl_scale != "nats":
            raise ValueError("train_shared.solver: gaussian needs kl_scale: nats; its codes are not von Mises-Fisher")
        if shared.solver == "gaussian" and specific.joint_alpha is not None:
            raise ValueError("train_specific.joint_alpha (joint training) needs train_shared.solver: neural")
        return self


def load_screen(path: Path) -> ScreenSettings:
    """Read and validate a screen's YAML.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or a key is unknown, missing or wrong; it names every such key.
    """
    content = read_yaml(path, "`dssl new-screen TABLE...` writes a first one")
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys with values (see config/README.md), found {type(content).__name__}")
    return parse_screen(content, str(path))


def parse_screen(content: dict[str, object], where: str) -> ScreenSettings:
    """Validate a screen's settings; `where` names their origin in messages."""
    try:
        return ScreenSettings.model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, where)) from None
