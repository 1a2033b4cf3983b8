"""TCCM (NeurIPS 2025, arXiv 2510.18328): f(x, t) is fitted to -x, the score is |f(x, 1) + x|.

Its code sets the number of epochs, 1 to 5,000, by the name of the data set. Here it is fixed: batches of 64, Adam
1e-3, two hidden layers of 256, 128 sines and cosines of time, and of 5, 20, 100, 400 epochs those that did best on
15 numeric sets: 100 (its class's default) when the training rows are clean, 5 when they are contaminated.
"""

import math

import torch
from torch import Tensor

from benchmarks.detectors import Method, Scored, Task, fixed
from benchmarks.detectors.training import mlp, seeded, to_tensor, train

EPOCHS, EPOCHS_CONTAMINATED, BATCH, TIME = 100, 5, 64, 128


def time_features(t_B1: Tensor) -> Tensor:
    """Sines and cosines of time at geometric frequencies (period up to 10,000)."""
    frequency = torch.exp(-math.log(10_000) * torch.arange(TIME // 2) / (TIME // 2))
    return torch.cat([(t_B1 * frequency).sin(), (t_B1 * frequency).cos()], 1)


def score(task: Task) -> Scored:
    """Length of what is left of a row after one contraction step."""
    generator = seeded(task, small=True)
    x = to_tensor(task.train)
    net = mlp([x.shape[1] + TIME, 256, 256, x.shape[1]])
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)

    def velocity(x_BD: Tensor, t_B1: Tensor) -> Tensor:
        out: Tensor = net(torch.cat([x_BD, time_features(t_B1)], 1))
        return out

    def step(rows: Tensor) -> None:
        x_BD = x[rows]
        loss = (velocity(x_BD, torch.rand((len(rows), 1), generator=generator)) + x_BD).square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    epochs = EPOCHS_CONTAMINATED if task.contaminated else EPOCHS
    note = train(step, len(x), epochs=epochs, batch=BATCH, generator=generator, seconds=task.budget)
    test = to_tensor(task.test)
    with torch.no_grad():
        left = (velocity(test, torch.ones(len(test), 1)) + test).norm(dim=1)
    return Scored(left.double().numpy(), note)


METHODS = (Method("TCCM", "sqrt2", score, fixed("1"), slow=True),)
