"""What is measured of a code does not need the matrix of all similarities of its compounds."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from dssl.evaluation import information
from dssl.evaluation.information import infonce_lower_bound
from dssl.model import contrastive
from dssl.model.contrastive import infonce
from dssl.training import metrics
from dssl.training.metrics import shared_code_metrics

MEASURED = """
import resource, sys
import numpy as np, torch
from torch.nn.functional import normalize
from dssl.evaluation.information import infonce_lower_bound
from dssl.model.contrastive import infonce
from dssl.training.metrics import shared_code_metrics
from dssl.training.settling import spread_of_others

def measure(n):
    first, second = (normalize(torch.randn(n, 8, generator=torch.Generator().manual_seed(i))) for i in (0, 1))
    infonce(first, second, 0.1)  # of codes that are not trained
    shared_code_metrics(first, second)
    spread_of_others(first, second)
    infonce_lower_bound(first[None].numpy(), second.numpy(), 1.0)

measure(100)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure(int(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def codes(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors of two modalities that have something in common."""
    shared, *own = (torch.randn(n, 6, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    first, second = (torch.nn.functional.normalize(shared + part) for part in own)
    return first, second


def test_memory_does_not_grow_with_the_square_of_the_compounds() -> None:
    n = 10_000
    command = [sys.executable, "-c", MEASURED, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    matrix = 4 * n * n
    assert int(done.stdout) * unit < matrix / 2


def test_metrics_in_slices_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = codes(50)
    similarity = first.double().numpy() @ second.double().numpy().T
    monkeypatch.setattr(metrics, "CHUNK_CELLS", 7 * 50)
    found = shared_code_metrics(first, second)
    for name, matrix in (("phenotype_to_molecule", similarity), ("molecule_to_phenotype", similarity.T)):
        ranks = 1 + (matrix > np.diag(matrix)[:, None]).sum(axis=1)
        assert found[f"mrr_{name}"] == pytest.approx((1 / ranks).mean())
        assert found[f"mean_normalized_rank_{name}"] == pytest.approx(((ranks - 1) / 49).mean())


def test_infonce_in_blocks_is_that_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = codes(50)
    monkeypatch.setattr(contrastive, "BLOCK_ENTRIES", 7 * 50)
    logits = first @ second.T / 0.1
    rows = torch.arange(50)
    entropy = torch.nn.functional.cross_entropy
    expected = float((entropy(logits, rows) + entropy(logits.T, rows)) / 2)
    with torch.no_grad():
        assert float(infonce(first, second, 0.1)) == pytest.approx(expected, rel=1e-5)
    assert float(infonce(first.requires_grad_(), second, 0.1).detach()) == pytest.approx(expected, rel=1e-5)


def test_the_information_bound_in_blocks_is_that_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (code.numpy() for code in codes(50))
    monkeypatch.setattr(information, "CHUNK_CELLS", 7 * 50)
    scores = -(np.linalg.norm(first[:, None] - second[None], axis=2) ** 2) / (2 * 0.3)
    expected = np.mean(np.diag(scores) - np.log(np.exp(scores).mean(axis=1)))
    assert infonce_lower_bound(first[None], second, 0.3).value == pytest.approx(expected)
