"""Principal components of the averaged molecular kernels, and their extension to new molecules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import eigh
from scipy.spatial.distance import pdist

from dssl.errors import TableError
from dssl.molecules.kernels import gaussian_kernel, tanimoto_count_kernel

SMALLEST_EIGENVALUE = 1e-6  # relative to the largest
MAX_ROWS_FOR_MEDIAN = 2000  # the median of 2 million distances is known well enough
ROWS_AT_ONCE = 2048
CELLS_AT_ONCE = 32_000_000
# fingerprints (n, p), and standardised descriptors (n, d)
Molecules = tuple[sparse.csr_matrix, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class KernelComponents:
    """What the projection of a molecule needs; n landmarks, k components.

    The landmarks are the training molecules, or some of them where they are many.

    Attributes
    ----------
    counts : csr_matrix of float32, shape (n, p)
        Unfiltered fingerprints of the landmarks.
    blocks : tuple of str, length p
        Featurizer of each column of `counts`.
    descriptors : ndarray of float64, shape (n, d)
        Standardised descriptors of the landmarks; d = 0 without descriptors.
    length_scale : float
        Of the Gaussian kernel: the median distance of two training molecules.
    column_mean : ndarray, shape (n,)
        Mean of each column of the landmarks' kernel.
    projection : ndarray of float64, shape (n, k)
        Eigenvectors / sqrt(eigenvalues) / root mean square of the landmarks' scores.
    """

    counts: sparse.csr_matrix
    blocks: tuple[str, ...]
    descriptors: NDArray[np.float64]
    length_scale: float
    column_mean: NDArray[np.float64]
    projection: NDArray[np.float64]


def fit_kernel_components(
    counts: sparse.csr_matrix,
    blocks: Sequence[str],
    descriptors: NDArray[np.float64],
    n_components: int,
    max_landmarks: int,
) -> KernelComponents:
    """Kernel principal component analysis (Schoelkopf, Smola, Mueller, Neural Computation 1998).

    The kernel is the mean of one min-max Tanimoto kernel per fingerprint and, if there are descriptors, one Gaussian
    exp(-d^2 / (2 l^2)), l being the median distance of two training molecules. It is centred, K' = H K H, and
    decomposed, K' = V diag(w) V^T. The training scores are V sqrt(w), of components whose w exceeds 1e-6 of the
    largest. All scores are divided by one number, their root mean square, so that inputs are of order 1 and their inner
    products remain the centred kernel times a constant. Of each component, the largest training score is positive.

    Of more than `max_landmarks` training molecules (rows of `counts` and `descriptors`) as many, evenly spaced, are the
    landmarks, and K is theirs alone; the others are projected as new molecules are. The inner products of all scores are
    then Nystroem's approximation K'_nL K'_LL^+ K'_Ln (Williams and Seeger, NeurIPS 2000), K' being centred on the
    landmarks, and memory grows with the square of the landmarks, not of the molecules.

    Raises
    ------
    TableError
        If the training molecules, or the landmarks among them, do not differ.
    """
    length_scale, n_training = median_distance(descriptors), counts.shape[0]
    if n_training > max_landmarks:
        landmarks = evenly_spaced(n_training, max_landmarks)
        counts, descriptors = counts[landmarks], descriptors[landmarks]
    kernel = averaged_kernel((counts, descriptors), (counts, descriptors), blocks, length_scale)
    column_mean = kernel.mean(axis=0)
    # in place: of many landmarks every copy counts
    kernel -= column_mean
    kernel -= column_mean[:, None]
    kernel += column_mean.mean()
    centred = kernel + kernel.T
    centred /= 2
    n_rows = len(kernel)
    del kernel
    wanted = min(n_components, n_rows)
    # the same matrix transposed lies in memory as LAPACK wants it, and is not copied
    eigenvalues, vectors = eigh(centred.T, subset_by_index=(n_rows - wanted, n_rows - 1), overwrite_a=True)
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    if not eigenvalues[0] > n_rows * np.finfo(np.float64).eps:
        of_more = "" if n_rows == n_training else f" that were taken as landmarks from {n_training}"
        raise TableError(
            f"the {n_rows} training molecules{of_more} all have the same features; at least two must differ\n"
            "Choose other featurize_molecules.featurizers, or pair more compounds."
        )
    kept = eigenvalues > SMALLEST_EIGENVALUE * eigenvalues[0]
    eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(eigenvalues))])
    # the columns of `vectors` have length 1: the sum of all squared scores is the sum of the eigenvalues
    root_mean_square = np.sqrt(eigenvalues.sum() / vectors.size)
    projection = np.ascontiguousarray(vectors / np.sqrt(eigenvalues) / root_mean_square)
    return KernelComponents(counts, tuple(blocks), descriptors, length_scale, column_mean, projection)


def project(
    state: KernelComponents, counts: sparse.csr_matrix, descriptors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scores of any molecules by Nystroem's formula: their kernel with the landmarks, centred, projected.

    Parameters
    ----------
    state : KernelComponents
        Fitted on training molecules.
    counts : csr_matrix, shape (m, p)
        Fingerprints, columns as in training.
    descriptors : ndarray, shape (m, d)
        Standardised descriptors.

    Returns
    -------
    ndarray, shape (m, k)
    """
    scores = np.empty((counts.shape[0], state.projection.shape[1]))
    landmarks = (state.counts, state.descriptors)
    for rows, kernel in kernel_blocks((counts, descriptors), landmarks, state.blocks, state.length_scale):
        centred = kernel - kernel.mean(axis=1, keepdims=True) - state.column_mean + state.column_mean.mean()
        scores[rows] = centred @ state.projection
    return scores


def kernel_blocks(
    left: Molecules, right: Molecules, blocks: Sequence[str], length_scale: float
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Slices of `left`, one after the other, with their `averaged_kernel` with `right`; one fits into memory."""
    n_left, n_right = len(left[1]), len(right[1])
    step = max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(1, n_right)))
    for start in range(0, n_left, step):
        rows = slice(start, start + step)
        yield rows, averaged_kernel((left[0][rows], left[1][rows]), right, blocks, length_scale)


def averaged_kernel(
    left: Molecules, right: Molecules, blocks: Sequence[str], length_scale: float
) -> NDArray[np.float64]:
    """Mean of the kernels between two sets of molecules, each given as (fingerprints, standardised descriptors)."""
    kernels = _kernels(left, right, np.asarray(blocks, dtype=np.str_), length_scale)
    total, n_kernels = next(kernels), 1
    for kernel in kernels:
        total += kernel
        n_kernels += 1
    total /= n_kernels
    return total


def _kernels(
    left: Molecules, right: Molecules, blocks: NDArray[np.str_], length_scale: float
) -> Iterator[NDArray[np.float64]]:
    for block in dict.fromkeys(blocks.tolist()):
        columns = np.flatnonzero(blocks == block)
        yield tanimoto_count_kernel(left[0][:, columns], right[0][:, columns])
    if right[1].shape[1]:
        yield gaussian_kernel(left[1], right[1], length_scale)


def median_distance(descriptors: NDArray[np.float64]) -> float:
    """Median Euclidean distance of two rows (of 2,000 evenly spaced ones at most); 1 if it would be zero."""
    distances = pdist(descriptors[evenly_spaced(len(descriptors), MAX_ROWS_FOR_MEDIAN)])
    median = float(np.median(distances)) if distances.size and descriptors.shape[1] else 0.0
    return median if median > 0 else 1.0


def evenly_spaced(n_rows: int, most: int) -> NDArray[np.int64]:
    """Rows that are spread evenly over all of them, the first and the last among them: all, or `most` of more."""
    return np.linspace(0, n_rows - 1, min(n_rows, most)).astype(np.int64)
