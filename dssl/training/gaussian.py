"""Both steps in closed form (solver: gaussian): linear encoders from canonical correlations, in seconds."""

import logging

import numpy as np
import torch
from numpy.typing import NDArray

from dssl.errors import ConfigError
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.canonical import CanonicalDirections, canonical_directions
from dssl.model.gaussian_bottleneck import information_of_snr, kept, snr
from dssl.model.held_out_correlations import HeldOut, held_out_correlations
from dssl.model.shared import SharedModel, beta_scales
from dssl.model.specific import SpecificModel, freeze
from dssl.settings.learning import CodeSettings, EncoderSettings, TrainSharedSettings, TrainSpecificSettings
from dssl.training.data import TrainingData
from dssl.training.fit import Record
from dssl.training.linear_maps import LinearMap, residual_components, set_linear
from dssl.training.settling import settle_shared
from dssl.training.shared import validate_shared
from dssl.training.specific import validate_specific
from dssl.training.views import InputScales

logger = logging.getLogger(__name__)
Floats = NDArray[np.float64]
LINEAR = EncoderSettings(hidden_sizes=[], layer_norm=False, dropout=0.0)


def solve_shared(
    data_train: TrainingData, data_validation: TrainingData, settings: TrainSharedSettings, beta: float
) -> tuple[SharedModel, list[Record], Record]:
    r"""Step 1 as the Gaussian information bottleneck on regularised canonical directions.

    The code of modality m is z_i = g_i u_i + unit noise, with u_i the i-th canonical coordinate of x^m in units of its
    standard deviation and g_i^2 = SNR_i (`dssl.model.gaussian_bottleneck.snr`). On kernel principal components as
    molecular inputs this is kernel CCA. Correlations and standard deviations are those of training compounds left out
    of the fit, by cross-validation (`held_out_correlations`), so that neither gains nor information are inflated by
    overfitting.

    Both modalities get the same gains: each code is then optimal for its own modality, and the cosine of two means
    weighs direction i by SNR_i, about rho_i^2 / (1 - rho_i^2). With `gaussian.gains: likelihood` it is weighed by
    rho_i / (1 - rho_i^2), as the logarithm of p(x1, x2) / (p(x1) p(x2)) does, which retrieves better where
    correlations are small; beta then chooses the directions and the total SNR, and the information, still exact for
    this code, is below the optimum.

    There is nothing random: every seed gives the same model. Of `settings`, the encoder, views, optimizer and
    run sections have no effect, nor has code.distribution: the code is Gaussian.

    Parameters
    ----------
    data_train, data_validation : TrainingData
        Preprocessed inputs; profiles are the compounds' means. Validation compounds choose the ridge: by MRR, and by the
        contrastive loss among ridges with the same MRR.
    settings : TrainSharedSettings
        `gaussian`, code.size (at most the number of directions), contrastive (for the validation loss).
    beta : float
        Price of I(Z;X1|X2), above 0.

    Returns
    -------
    SharedModel
        Linear encoders; columns of directions that are not kept are zero.
    list of dict
        One record; its training terms are those of as many training compounds, evenly spaced, as validate.
    dict
        What `dssl.training.shared.train_shared` gives, and: ridge, n_kept, information_own, information_other,
        information_conditional (nats; the same for both modalities) of this code, information_between: I(X1;X2) over
        all directions. They hold if inputs are Gaussian and directions uncorrelated.

    Raises
    ------
    ConfigError
        If beta is not above 0, or kl_scale is the released code's.
    PairingError
        If there are fewer than ten training compounds.
    """
    if not beta > 0:
        raise ConfigError(
            f"solver: gaussian: expected beta > 0, found {beta:g}: without a price the optimal code has no noise\n"
            "Set sweep.beta to positive values, for example [0.001, 0.01]."
        )
    phenotype, molecule = data_train.pooled.double().numpy(), data_train.molecule.double().numpy()
    size = max(2, min(settings.code.size, phenotype.shape[1], molecule.shape[1]))
    code = settings.code.model_copy(update={"size": size, "distribution": "gaussian"})
    beta_nats = beta_scales(beta, code, settings.kl_scale)
    best: tuple[SharedModel, Record] | None = None
    for ridge in sorted(settings.gaussian.ridge, reverse=True):
        directions = canonical_directions(phenotype, molecule, ridge)
        held_out = held_out_correlations(phenotype, molecule, ridge)
        ratios = _ratios(held_out.correlations, beta, settings.gaussian.gains)
        ratios[size:] = 0.0
        model = _shared_model(_maps(directions, held_out, ratios), code, settings)
        metrics = validate_shared(model, data_validation, beta)
        found = information_of_snr(ratios, held_out.correlations).totals()
        between = float(-0.5 * np.log1p(-(held_out.correlations**2)).sum())
        metrics |= {"ridge": ridge, "n_kept": float((ratios > 0).sum()), **found, "information_between": between}
        logger.info("ridge %g: validation mrr %.4f, %d directions", ridge, metrics["mrr"], metrics["n_kept"])
        if best is None or _quality(metrics) > _quality(best[1]):
            best = model, metrics
    assert best is not None  # settings hold at least one ridge
    model, metrics = best
    metrics |= settle_shared(model, data_train, data_validation)
    if not metrics["n_kept"]:
        logger.warning("beta %g: no direction's squared correlation exceeds beta / (1 + beta), the code is zero", beta)
    history = [_record(validate_shared(model, _as_many(data_train, data_validation), beta), metrics)]
    return model, history, {**metrics, **beta_nats, "best_epoch": 1}


def solve_specific(
    shared_model: SharedModel,
    data_train: TrainingData,
    data_validation: TrainingData,
    settings: TrainSpecificSettings,
    lam: float,
) -> tuple[SpecificModel, list[Record], Record]:
    """Step 2 in closed form: the leading components of what the kept shared directions leave of each modality.

    z_s^m = principal components of x^m - E[x^m | W x^m] + unit noise, with W x^m the features of the shared code and E
    the linear regression over training compounds: on these, every component is uncorrelated with every shared feature;
    if inputs are Gaussian, it is independent of them, and I(Z_s;Z_c) = 0. The noise has the standard deviation of the
    last component kept. The encoder takes [x^m, z_c^m] as any other, with weights of zero for z_c^m.

    `lam` only weighs the dependence in the validation loss. In the Lagrangian max I(Z_s,X2;X1) - lam I(Z_s;Z_c) the
    first term has no bound when nothing limits the capacity of Z_s, so that no finite lam strikes a balance: the
    residual is the solution under the constraint I(Z_s;Z_c) = 0, the limit of large lam.

    Parameters
    ----------
    shared_model : SharedModel
        With linear encoders, as `solve_shared` makes them; frozen.
    data_train, data_validation, settings, lam
        As in `dssl.training.specific.train_specific`; of `settings`, code.size, contrastive, dependence and views (for
        the validation loss).

    Returns
    -------
    SpecificModel, list of dict, dict
        As `train_specific` gives them, with one record of history; n_components_<modality> are added.

    Raises
    ------
    ConfigError
        If the shared model's encoders are not linear: their directions cannot be taken out by a linear map.
    """
    encoder = shared_model.encoder_settings
    if encoder.hidden_sizes or encoder.input_transform != "none" or encoder.custom is not None:
        raise ConfigError(
            "train_specific.solver: gaussian needs linear shared encoders, found a neural network\n"
            "Set train_shared.solver: gaussian too, or train_specific.solver: neural."
        )
    freeze(shared_model)
    inputs = {PHENOTYPE: data_train.pooled, MOLECULE: data_train.molecule}
    size = max(2, min(settings.code.size, max(shared_model.input_sizes.values())))
    code = settings.code.model_copy(update={"size": size, "distribution": "gaussian"})
    model_settings = settings.model_copy(update={"encoder": LINEAR, "code": code})
    with torch.random.fork_rng(devices=[]):
        model = SpecificModel(shared_model.input_sizes, shared_model.code_settings.size, model_settings)
    n_components = {}
    for modality in MODALITIES:
        shared = shared_model.encoders[modality].state_dict()["linear.weight"].double().cpu().numpy().T
        residual = residual_components(inputs[modality].double().numpy(), shared, size)
        n_components[f"n_components_{modality}"] = float(residual.weights.shape[1])
        if not residual.weights.shape[1]:
            logger.warning("step 2: the shared directions leave nothing of the %s inputs, its code is zero", modality)
        set_linear(model.encoders[modality], residual, size, shared_model.code_settings.size)
    freeze(model)
    scales = InputScales.of(data_train)
    train, validation = (
        validate_specific(model, shared_model, data, scales, model_settings, lam, 0)
        for data in (_as_many(data_train, data_validation), data_validation)
    )
    return model, [_record(train, validation)], {**validation, **n_components, "best_epoch": 1}


def _quality(metrics: Record) -> tuple[float, float]:
    """What the ridge is chosen by: the MRR and, where several find every match, the contrastive loss."""
    return metrics["mrr"], -metrics["contrastive"]


def _as_many(train: TrainingData, validation: TrainingData) -> TrainingData:
    """As many training compounds as validate, evenly spaced: a contrastive loss grows with their number."""
    rows = np.linspace(0, train.n_compounds - 1, min(train.n_compounds, validation.n_compounds)).astype(np.int64)
    compounds = train.well_compound.numpy()
    wells = np.flatnonzero(np.isin(compounds, rows))
    return TrainingData.from_arrays(
        train.phenotype.numpy()[wells], np.searchsorted(rows, compounds[wells]), train.molecule.numpy()[rows]
    )


def _ratios(correlations: Floats, beta: float, gains: str) -> Floats:
    """Signal-to-noise ratio of each direction (see `solve_shared`)."""
    optimal = snr(correlations, beta)
    if gains == "bottleneck" or not optimal.any():
        return optimal
    weights = np.where(kept(correlations, beta), correlations / (1 - correlations**2), 0.0)
    return np.asarray(weights * optimal.sum() / weights.sum())


def _maps(directions: CanonicalDirections, held_out: HeldOut, ratios: Floats) -> dict[str, LinearMap]:
    gains = np.sqrt(ratios)
    stds = {PHENOTYPE: held_out.first_std, MOLECULE: held_out.second_std}
    scaled = {name: np.divide(gains, std, out=np.zeros_like(gains), where=std > 0) for name, std in stds.items()}
    return {
        PHENOTYPE: LinearMap(directions.first_mean, directions.first * scaled[PHENOTYPE]),
        MOLECULE: LinearMap(directions.second_mean, directions.second * scaled[MOLECULE]),
    }


def _shared_model(maps: dict[str, LinearMap], code: CodeSettings, settings: TrainSharedSettings) -> SharedModel:
    sizes = (len(maps[PHENOTYPE].mean), len(maps[MOLECULE].mean))
    with torch.random.fork_rng(devices=[]):
        model = SharedModel(*sizes, LINEAR, code, settings.contrastive)
    for modality in MODALITIES:
        set_linear(model.encoders[modality], maps[modality], code.size, 0)
    freeze(model)
    return model


def _record(train: Record, validation: Record) -> Record:
    """The only record of history, as if there had been one epoch."""
    terms = ("loss", "contrastive", "kl")
    of_train = {f"train_{name}": train[name] for name in terms if name in train}
    return {"epoch": 1, **of_train, **{f"validation_{name}": value for name, value in validation.items()}}
