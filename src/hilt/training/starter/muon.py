"""Muon: momentum whose matrices are made orthogonal, for the weights of the layers.

Keller Jordan's method: the update of a matrix is its Nesterov momentum with all singular values brought near one, by
five steps of a quintic Newton-Schulz iteration in bfloat16. Matrices of one shape are worked on together.
"""

# pyright: basic, reportMissingImports=false
# PyTorch is not a dependency of Hilt: this module is imported only by `pretrain`, on a machine that has it.

import torch
from torch import Tensor, nn


def orthogonalized(gradient: Tensor) -> Tensor:
    """Matrices [N, rows, columns] with singular values near one."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient.bfloat16()
    flipped = x.shape[-2] > x.shape[-1]
    if flipped:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if flipped else x


class Muon:
    """Steps matrices by `rate`; `momentum` of the gradient is kept per matrix."""

    def __init__(self, matrices: list[nn.Parameter], momentum: float = 0.95, compiled: bool = True) -> None:
        self.momentum = momentum
        by_shape: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for matrix in matrices:
            by_shape.setdefault(tuple(matrix.shape), []).append(matrix)
        self.groups = list(by_shape.values())
        self.kept = [torch.zeros(len(group), *group[0].shape, device=group[0].device) for group in self.groups]
        self._orthogonalized = torch.compile(orthogonalized) if compiled else orthogonalized

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every matrix against its gradient."""
        for group, kept in zip(self.groups, self.kept, strict=True):
            gradient = torch.stack([matrix.grad for matrix in group])  # pyright: ignore[reportArgumentType]
            kept.lerp_(gradient, 1 - self.momentum)
            update = self._orthogonalized(gradient.lerp(kept, self.momentum)).float()
            rows, columns = group[0].shape
            torch._foreach_add_(list(group), list((update * (max(1.0, rows / columns) ** 0.5)).unbind()), alpha=-rate)
