"""DTE-C (Livernoche et al., ICLR 2024, section 4.3): a classifier that says how long a row has been diffused.

Settings of the paper's appendix and code: 400 steps, linear betas 1e-4 ... 0.01, noise added without shrinking the
row, seven bins of time, layers 256-512-256, dropout 0.5, Adam 1e-4 with weight decay 5e-4, batches of 64, 400 epochs.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.detectors import Method, Scored, Task, fixed
from benchmarks.detectors.training import mlp, seeded, to_tensor, train

STEPS, BINS, EPOCHS, BATCH = 400, 7, 400, 64


def score(task: Task) -> Scored:
    """Expected bin of the diffusion time."""
    generator = seeded(task, small=True)
    x = to_tensor(task.train)
    spread = (1 - torch.cumprod(1 - torch.linspace(1e-4, 0.01, STEPS), 0)).sqrt()
    net = mlp([x.shape[1], 256, 512, 256, BINS], dropout=0.5)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=5e-4)

    def step(rows: Tensor) -> None:
        clean_BD = x[rows]
        time_B = torch.randint(STEPS, (len(rows),), generator=generator)
        noised_BD = clean_BD + spread[time_B, None] * torch.randn(clean_BD.shape, generator=generator)
        # The published code takes the cross-entropy of softmax outputs, which trains more gently; kept.
        loss = functional.cross_entropy(net(noised_BD).softmax(1), time_B * BINS // STEPS)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    note = train(step, len(x), epochs=EPOCHS, batch=BATCH, generator=generator, seconds=task.budget)
    net.eval()
    with torch.no_grad():
        expected = net(to_tensor(task.test)).softmax(1) @ torch.arange(BINS, dtype=torch.float32)
    return Scored(expected.double().numpy(), note)


METHODS = (Method("DTE-C", "sqrt2", score, fixed("1"), slow=True),)
