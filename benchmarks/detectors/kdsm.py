"""K-DSM (Livernoche et al. 2026, arXiv 2605.06955): denoising score matching, noise per column from its kurtosis.

`s_j = 0.5 (1 + 0.33 (kurtosis_j - 3))`, clipped to 0.1 ... 3, the kurtosis taken after trimming 4 % and re-ordering
the histogram around its peak; 1.8 for binary and -1/0/1 columns. ResNet of six blocks of 512 with batch norm, dropout
0.2 and 0.1, 500 epochs, batches of 128, three noises a row, Adam 5e-4, weight decay 5e-5. Score: norm of the
predicted noise at the clean row. Contaminated: a slow copy (EMA 0.999) drops the 20 % of each batch that it finds
oddest.
"""

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.detectors import Method, Scored, Task, fixed
from benchmarks.detectors.training import device, recorded, seeded, to_tensor, train

WIDTH, BLOCKS, EPOCHS, BATCH, NOISES = 512, 6, 500, 128, 3
DECAY, KEPT = 0.999, 0.8


def noise_levels(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The standard deviation of the noise of each column."""
    cut = int(len(x) * 0.02)
    trimmed = np.sort(x, axis=0)[cut : len(x) - cut]
    kurtosis = np.array([_kurtosis(column) for column in trimmed.T])
    return np.clip(0.5 * (1 + 0.33 * (kurtosis - 3)), 0.1, 3.0)


def _kurtosis(column: npt.NDArray[np.float64], bins: int = 200) -> float:
    values = np.unique(column)
    if len(values) <= 2 or (len(values) == 3 and np.isclose(values[1] * 2, values[0] + values[2])):
        return 1.8
    counts, edges = np.histogram(column, bins)
    # The fullest bin goes to 0, the next to +1, -1, +2, -2 ...: what counts is how rare, not where.
    place = np.empty(bins)
    order = np.arange(bins)
    place[np.argsort(-counts, kind="stable")] = (order + 1) // 2 * np.where(order % 2, 1, -1)
    moved = place[np.clip(np.digitize(column, edges) - 1, 0, bins - 1)]
    deviation = moved - moved.mean()
    variance = float((deviation**2).mean())
    return float((deviation**4).mean()) / variance**2 if variance > 0 else 1000.0


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(0.2), nn.Linear(WIDTH, WIDTH),
            nn.Dropout(0.1),
        )  # fmt: skip

    def forward(self, x_BW: Tensor) -> Tensor:
        out: Tensor = x_BW + self.body(x_BW)
        return out


def _resnet(columns: int) -> nn.Sequential:
    head = [nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, columns)]
    return nn.Sequential(nn.Linear(columns, WIDTH), *[_Block() for _ in range(BLOCKS)], *head)


def score(task: Task) -> Scored:
    """Norm of the predicted noise at the clean row."""
    generator, on = seeded(task), device()
    noises = torch.Generator(on).manual_seed(task.seed) if on.type == "cpu" else None
    x = to_tensor(task.train).to(on)
    level_D = to_tensor(noise_levels(np.asarray(task.train, float))).to(on)
    net = _resnet(x.shape[1]).to(on)
    teacher = copy.deepcopy(net).eval() if task.contaminated else None
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-4, weight_decay=5e-5, capturable=on.type == "cuda")

    def step(rows: Tensor) -> None:
        x_BD = x[rows]
        if teacher is not None:
            x_BD = _likely(teacher, x_BD)
        noise_BD = torch.randn((len(x_BD) * NOISES, x.shape[1]), generator=noises, device=on)
        predicted_BD = net(x_BD.repeat_interleave(NOISES, 0) + level_D * noise_BD)
        loss = 0.5 * (predicted_BD + noise_BD).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if teacher is not None:
            _follow(teacher, net)

    note = train(
        recorded(step, BATCH, on), len(x), epochs=EPOCHS, batch=BATCH, generator=generator, seconds=task.budget
    )
    net.eval()
    with torch.no_grad():
        norms = torch.cat([net(part.to(on)).norm(dim=1) for part in torch.split(to_tensor(task.test), 4096)])
    where = f"on {torch.cuda.get_device_name()}" if on.type == "cuda" else ""
    return Scored(norms.double().cpu().numpy(), f"{note} {where}".strip())


@torch.no_grad()
def _likely(teacher: nn.Module, x_BD: Tensor) -> Tensor:
    kept = 1 + int(KEPT * (len(x_BD) - 1))  # as many as are below the quantile, with ties too: every step is alike
    if kept < 2:
        return x_BD
    return x_BD[teacher(x_BD).norm(dim=1).topk(kept, largest=False, sorted=False).indices]


@torch.no_grad()
def _follow(teacher: nn.Module, net: nn.Module) -> None:
    for slow, fast in zip(teacher.parameters(), net.parameters(), strict=True):
        slow.mul_(DECAY).add_(fast, alpha=1 - DECAY)
    for kept, statistic in zip(teacher.buffers(), net.buffers(), strict=True):
        kept.copy_(statistic)


METHODS = (Method("K-DSM", "sqrt2", score, fixed("2"), slow=True),)
