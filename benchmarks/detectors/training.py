"""The training loop that the deep peers share: shuffled batches until all epochs are done or the time is up.

Axes: B rows of a batch, D columns of the encoded matrix.
"""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.detectors import Task


def seeded(task: Task, *, small: bool = False) -> torch.Generator:
    """Torch made ready for a task: its threads, its seed (initial weights and dropout draw from the global one).

    `small`: one thread, for nets whose steps are too short to share.
    """
    torch.set_num_threads(1 if small else task.threads)
    torch.manual_seed(task.seed)
    return torch.Generator().manual_seed(task.seed)


def batches(rows: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Row numbers of one epoch, shuffled; a last batch of one row is left out (batch norm cannot use it)."""
    for batch in torch.split(torch.randperm(rows, generator=generator), size):
        if len(batch) > 1 or rows == 1:
            yield batch


def clock() -> float:
    """Seconds of a budget; on a processor those that this thread worked: other work there costs a peer no steps."""
    return time.perf_counter() if torch.cuda.is_available() else time.thread_time()


def train(
    step: Callable[[Tensor], None],
    rows: int,
    *,
    epochs: int,
    batch: int,
    generator: torch.Generator,
    seconds: float,
) -> str:
    """Run `step` on every batch of every epoch; a note where the time was up before the published end."""
    started, done = clock(), 0
    per_epoch = -(-rows // batch)
    for _ in range(epochs):
        for chosen in batches(rows, batch, generator):
            step(chosen)
            done += 1
            if done % 20 == 0 and clock() - started > seconds:
                return f"{done} of {epochs * per_epoch} steps in {seconds:.0f} s"
    return ""


def device() -> torch.device:
    """A GPU where there is one: for nets that would take hours on two cores."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def recorded(step: Callable[[Tensor], None], batch: int, on: torch.device) -> Callable[[Tensor], None]:
    """On a GPU the step of a whole batch as a CUDA graph: its kernels are short, and launching them is what takes time.

    `step` must have the same shapes for every whole batch and draw from the GPU's own generator; its optimiser is
    `capturable`. Smaller batches run as they are.
    """
    if on.type != "cuda":
        return step
    held = torch.zeros(batch, dtype=torch.int64, device=on)
    graph: list[torch.cuda.CUDAGraph] = []

    def whole(rows: Tensor) -> None:
        held.copy_(rows)
        if not graph:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):  # buffers are made before they can be recorded
                    step(held)
            torch.cuda.current_stream().wait_stream(side)
            graph.append(torch.cuda.CUDAGraph())
            with torch.cuda.graph(graph[0]):
                step(held)
        graph[0].replay()

    return lambda rows: whole(rows) if len(rows) == batch else step(rows.to(on))


def to_tensor(matrix: npt.NDArray[np.float64]) -> Tensor:
    """The encoded rows as float32, what the published code trains in."""
    return torch.from_numpy(np.ascontiguousarray(matrix, np.float32))


def mlp(sizes: list[int], *, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with ReLU between; dropout after every hidden layer but the first, as DTE has it."""
    layers: list[nn.Module] = []
    for i, (wide, out) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(wide, out))
        if i < len(sizes) - 2:
            layers.append(nn.ReLU())
            if dropout and i > 0:
                layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
