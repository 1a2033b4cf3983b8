"""MaskDiff-AD, parametric (arXiv 2605.30046): how badly a network guesses cells that are masked at random.

Categories as codes, numbers in ten quantile bins. Mask rates 0.1 ... 0.9, embeddings of 256, three layers of 512,
dropout 0.1, AdamW 1e-3, batches of 512, 20 epochs; score: mean negative log-likelihood of the masked cells over
the nine rates and 16 random views each, 144 views a row.

The first layer over all embeddings is linear, so it is folded into one table per column: the same function and
the same gradients at a fraction of the cost. Axes: B rows, C columns, V codes of all columns, W width.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.detectors import Method, Scored, Task, fixed
from benchmarks.detectors.training import clock, seeded, train

RATES = tuple(k / 10 for k in range(1, 10))
VIEWS, EMBEDDING, WIDTH, EPOCHS, BATCH = 16, 256, 512, 20, 512

Masking = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class MaskedNet(nn.Module):
    """Guesses every column of a row from the columns that are not masked."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.first: Tensor
        self.column_of: Tensor
        codes = [size + 1 for size in sizes]  # the last code of a column is its mask
        self.register_buffer("first", torch.tensor([0, *codes[:-1]]).cumsum(0))
        self.register_buffer("column_of", torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(codes)))
        self.value = nn.Embedding(sum(codes), EMBEDDING)
        self.column = nn.Embedding(len(sizes), EMBEDDING)
        self.rate = nn.Embedding(len(RATES), EMBEDDING)
        wide = (len(sizes) + 1) * EMBEDDING
        self.input = nn.Parameter(torch.empty(len(sizes) + 1, EMBEDDING, WIDTH).uniform_(-1, 1) * wide**-0.5)
        self.bias = nn.Parameter(torch.empty(WIDTH).uniform_(-1, 1) * wide**-0.5)
        tail: list[nn.Module] = [nn.ReLU(), nn.Dropout(0.1)]
        for _ in range(2):
            tail += [nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(0.1)]
        self.body = nn.Sequential(*tail)
        self.heads = nn.Linear(WIDTH, sum(sizes))

    def table(self) -> Tensor:
        """What each code of each column adds to the first layer: [V, W]."""
        whole = self.value.weight + self.column(self.column_of)
        parts = whole.split([size + 1 for size in self.sizes])
        return torch.cat([part @ weight for part, weight in zip(parts, self.input[:-1], strict=True)])

    def forward(self, codes_BC: Tensor, rate_B: Tensor, table_VW: Tensor) -> tuple[Tensor, ...]:
        """Logits per column."""
        hidden_BW = functional.embedding_bag(codes_BC + self.first, table_VW, mode="sum")
        hidden_BW = hidden_BW + self.rate(rate_B) @ self.input[-1] + self.bias
        out: tuple[Tensor, ...] = self.heads(self.body(hidden_BW)).split(self.sizes, 1)
        return out


def losses(logits: tuple[Tensor, ...], codes_BC: Tensor) -> Tensor:
    """Negative log-likelihood of every cell: [B, C]."""
    parts = [functional.cross_entropy(logit, codes_BC[:, c], reduction="none") for c, logit in enumerate(logits)]
    return torch.stack(parts, 1)


def score(task: Task) -> Scored:
    """Mean negative log-likelihood of masked cells over rates and views."""
    (train_codes, sizes), (test_codes, _) = task.train, task.test
    generator = seeded(task)
    codes, test = torch.from_numpy(train_codes), torch.from_numpy(test_codes)
    mask_code, rates = torch.tensor(sizes), torch.tensor(RATES)
    net = MaskedNet(sizes)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-5)

    def masked(clean_BC: Tensor, rate_B: Tensor) -> tuple[Tensor, Tensor]:
        hidden_BC = torch.rand(clean_BC.shape, generator=generator) < rates[rate_B, None]
        return torch.where(hidden_BC, mask_code, clean_BC), hidden_BC

    def step(rows: Tensor) -> None:
        clean_BC = codes[rows]
        rate_B = torch.randint(len(RATES), (len(rows),), generator=generator)
        seen_BC, hidden_BC = masked(clean_BC, rate_B)
        loss_BC = losses(net(seen_BC, rate_B, net.table()), clean_BC)
        loss = (loss_BC * hidden_BC).sum() / hidden_BC.sum().clamp(min=1)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    note = train(step, len(codes), epochs=EPOCHS, batch=BATCH, generator=generator, seconds=task.budget / 2)
    net.eval()
    total, views, started = torch.zeros(len(test)), 0, clock()
    with torch.no_grad():
        table_VW = net.table()
        for _ in range(VIEWS):
            if views and clock() - started > task.budget / 2:
                note = f"{note} {views} of {VIEWS} views a rate".strip()
                break
            for rate in range(len(RATES)):
                total += _view(net, table_VW, test, rate, masked)
            views += 1
    return Scored((total / (views * len(RATES))).double().numpy(), note)


def _view(net: MaskedNet, table_VW: Tensor, test: Tensor, rate: int, masked: Masking) -> Tensor:
    parts = []
    for clean_BC in torch.split(test, 2048):
        rate_B = torch.full((len(clean_BC),), rate)
        seen_BC, hidden_BC = masked(clean_BC, rate_B)
        loss_BC = losses(net(seen_BC, rate_B, table_VW), clean_BC)
        parts.append((loss_BC * hidden_BC).sum(1) / hidden_BC.sum(1).clamp(min=1))
    return torch.cat(parts)


METHODS = (Method("MaskDiff-AD", "codes", score, fixed("1"), slow=True),)
