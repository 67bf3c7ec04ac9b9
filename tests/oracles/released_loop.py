"""The training loop of the two steps with the cost structure of the released code, written anew from its description.

Plain and slow on purpose, and what `bench/training.py` compares with: rows augmented one by one in Python, the second
view made from the first, von Mises-Fisher codes drawn by rejecting whole batches and turned by a Householder
reflection, a masked (2n, 2n) contrastive loss, a DataLoader, an unfused Adam.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from tests.oracles.contrastive import masked_infonce

TEMPERATURE = 0.07


def augment(inputs: Tensor) -> Tensor:
    """Each row gets Gaussian noise of 0.01, or 10 % zeros, or nothing."""
    rows = []
    for row in inputs:
        way = int(torch.randint(3, (1,)))
        if way == 0:
            rows.append(row + 0.01 * torch.randn_like(row))
        elif way == 1:
            dropped = torch.randperm(len(row))[: len(row) // 10]
            row = row.clone()
            row[dropped] = 0
            rows.append(row)
        else:
            rows.append(row)
    return torch.stack(rows)


def encoder(input_size: int, hidden_size: int, code_size: int) -> nn.Sequential:
    """Linear, ReLU, linear."""
    layers = nn.Sequential(nn.Linear(input_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, code_size))
    for layer in (layers[0], layers[2]):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
    return layers


def draw(mean: Tensor, kappa: float) -> Tensor:
    """One von Mises-Fisher draw per row of unit vectors: Wood's cosines about the first axis, reflected to the mean."""
    n, size = mean.shape
    cosine = _cosines(n, size, kappa)
    tangent = functional.normalize(torch.randn(n, size - 1), dim=1)
    about_axis = torch.cat([cosine[:, None], (1 - cosine[:, None] ** 2).clamp_min(0).sqrt() * tangent], dim=1)
    axis = torch.zeros(size)
    axis[0] = 1
    mirror = functional.normalize(axis - mean, dim=1)
    return about_axis - 2 * (about_axis * mirror).sum(1, keepdim=True) * mirror


def _cosines(n: int, size: int, kappa: float) -> Tensor:
    b = (size - 1) / (2 * kappa + math.sqrt(4 * kappa**2 + (size - 1) ** 2))
    centre = (1 - b) / (1 + b)
    offset = kappa * centre + (size - 1) * math.log(1 - centre**2)
    beta = torch.distributions.Beta(torch.tensor((size - 1) / 2), torch.tensor((size - 1) / 2))
    accepted, cosine = torch.zeros(n, dtype=torch.bool), torch.zeros(n)
    while not bool(accepted.all()):
        proposal = beta.sample((n,))
        candidate = (1 - (1 + b) * proposal) / (1 - (1 - b) * proposal)
        score = kappa * candidate + (size - 1) * torch.log(1 - centre * candidate) - offset
        fits = (score >= torch.log(torch.rand(n))) & ~accepted
        cosine = torch.where(fits, candidate, cosine)
        accepted = accepted | fits
    return cosine


class ReleasedLoop:
    """Both steps on paired inputs, in minibatches; every `next` of `shared_steps` or `specific_steps` is one step.

    Parameters
    ----------
    first, second : Tensor, (n, k)
        Paired inputs.
    batch_size, hidden_size, code_size : int
    kappa, beta, lam : float
        Concentration, weight of the KL (without the factor kappa A_d(kappa)), weight of the dependence penalty.
    """

    def __init__(
        self,
        first: Tensor,
        second: Tensor,
        batch_size: int,
        hidden_size: int = 512,
        code_size: int = 100,
        kappa: float = 1000.0,
        beta: float = 1.0,
        lam: float = 1.0,
    ) -> None:
        self.loader = DataLoader(TensorDataset(first, second), batch_size=batch_size, shuffle=True, drop_last=True)
        self.kappa, self.beta, self.lam = kappa, beta, lam
        sizes = [first.shape[1], second.shape[1]]
        self.shared = nn.ModuleList(encoder(size, hidden_size, code_size) for size in sizes)
        self.specific = nn.ModuleList(encoder(size + code_size, hidden_size, code_size) for size in sizes)

    def shared_steps(self) -> Iterator[float]:
        """Step 1: InfoNCE + beta (-cosine of the means)."""
        optimizer = torch.optim.Adam(self.shared.parameters(), lr=1e-4, foreach=False, fused=False)
        while True:
            for batch in self.loader:
                means = [
                    functional.normalize(network(augment(inputs)), dim=1)
                    for network, inputs in zip(self.shared, batch, strict=True)
                ]
                codes = [draw(mean, self.kappa) for mean in means]
                alignment = -(means[0] * means[1]).sum(1).mean()
                loss = masked_infonce(codes[0], codes[1], TEMPERATURE) + self.beta * alignment
                yield self._descend(loss, optimizer)

    def specific_steps(self) -> Iterator[float]:
        """Step 2: InfoNCE of the joint codes of two nested views + lam |norm(Z_s)^T norm(Z_c)|_F."""
        optimizer = torch.optim.Adam(self.specific.parameters(), lr=1e-4, foreach=False, fused=False)
        while True:
            for batch in self.loader:
                view_a = [augment(inputs) for inputs in batch]
                view_b = [augment(inputs) for inputs in view_a]
                joint: list[list[Tensor]] = []
                loss = torch.zeros(())
                for view in (view_a, view_b):
                    with torch.no_grad():
                        shared = [
                            functional.normalize(network(inputs), dim=1)
                            for network, inputs in zip(self.shared, view, strict=True)
                        ]
                    features = [
                        network(torch.cat([inputs, code], dim=1))
                        for network, inputs, code in zip(self.specific, view, shared, strict=True)
                    ]
                    specific = [draw(functional.normalize(feature, dim=1), self.kappa) for feature in features]
                    joint.append(
                        [
                            functional.normalize(torch.cat([specific[own], shared[1 - own]], dim=1), dim=1)
                            for own in (0, 1)
                        ]
                    )
                    for own in (0, 1):
                        loss = loss + self.lam / 2 * torch.linalg.norm(specific[own].T @ shared[own])
                for own in (0, 1):
                    loss = loss + masked_infonce(joint[0][own], joint[1][own], TEMPERATURE)
                yield self._descend(loss, optimizer)

    @staticmethod
    def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> float:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # the released loop reads its loss at every step
        return float(loss.detach())
