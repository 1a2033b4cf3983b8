"""Generators that the privacy case audits: tabad's own, TabDDPM's, one that learns rows by heart, planted
copies.

TabDDPM's trains as `speed.ddpm` does (Kotelnikov et al., ICML 2023) on tabad's encoded block, samples by
ancestral steps (Ho et al. 2020; multinomial posterior of Hoogeboom et al. 2021) and is decoded by tabad: only the
generator differs. Axes: B rows, N numbers, C category columns.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

BATCH = 256
SKIPPED = 4
"""Sampling visits every fourth of the 1,000 noise steps."""


def planted(fresh: pa.Table, train: pa.Table, share: float, seed: int) -> pa.Table:
    """Fresh rows of which a share is replaced by training rows, spread at random."""
    draw = np.random.default_rng(seed)
    copies = max(1, round(share * fresh.num_rows))
    rows = pa.concat_tables([
        fresh.slice(copies), train.take(pa.array(draw.choice(train.num_rows, copies, replace=False)))
    ])  # fmt: skip
    return rows.take(pa.array(draw.permutation(rows.num_rows)))


def by_heart(train: pa.Table, rows: int, seed: int, noise: float = 0.01) -> pa.Table:
    """Training rows with noise of a hundredth of a standard deviation on every number, rounded where it is whole."""
    draw = np.random.default_rng(seed)
    made = train.take(pa.array(draw.choice(train.num_rows, min(rows, train.num_rows), replace=False)))
    return _noisy(made, noise, draw)


def others(_train: pa.Table, rows: int, seed: int, of: pa.Table) -> pa.Table:
    """Rows that nothing was trained on: at most half of those given, at random."""
    order = np.random.default_rng(seed).permutation(of.num_rows)
    return of.take(pa.array(order[: min(rows, of.num_rows // 2)]))


def by_column(train: pa.Table, rows: int, seed: int, noise: float = 0.3) -> pa.Table:
    """Values of the training rows, each column drawn by itself; noise of 0.3 standard deviations on every number."""
    draw = np.random.default_rng(seed)
    columns = [column.take(pa.array(draw.integers(0, train.num_rows, rows))) for column in train.columns]
    return _noisy(pa.table(columns, schema=train.schema), noise, draw)


def _noisy(made: pa.Table, noise: float, draw: np.random.Generator) -> pa.Table:
    for place, field in enumerate(made.schema):
        whole = pa.types.is_integer(field.type)
        if whole or pa.types.is_floating(field.type):
            values = made[field.name].cast(pa.float64()).to_numpy()
            values = values + noise * np.nanstd(values) * draw.normal(size=len(values))
            values = np.rint(values) if whole else values
            made = made.set_column(place, field.name, pa.array(values, field.type, from_pandas=True))
    return made


def own(train: pa.Table, rows: int, seed: int, label: str | None = None, value: str | None = None) -> pa.Table:
    """tabad at quality default; rows of one class where there is a label."""
    import tabad

    model = tabad.fit(train, seed=seed, all_rows=True, label=label)
    made: pa.Table = model.generate(rows, seed=seed, label=value)
    return made


def private(train: pa.Table, rows: int, seed: int, bounds: dict[str, Any], label: str, value: str) -> pa.Table:
    """tabad under a budget of epsilon 3, columns and their bounds public; rows of one class."""
    import tabad

    train = train.select(list(bounds["columns"]))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bounds.json"
        file.write_text(json.dumps(bounds))
        budget = tabad.PrivateOptions(epsilon=3.0, delta=1e-6, bounds=str(file))
        model = tabad.fit(train, private=budget, label=label, quality="fast")
    made: pa.Table = model.generate(rows, seed=seed, label=value)
    return made


def ddpm(train: pa.Table, rows: int, seed: int, budget: float) -> pa.Table:
    """TabDDPM's generator: 30,000 steps of 256 rows (of 256 and 4,096, which it searches), or so many seconds."""
    import torch

    from benchmarks.speed.ddpm import Loop
    from tabad import _core

    fit = _core.Fit(memory=32, screen=True)
    fit.observe(train)
    fit.prepare()
    model = fit.finish()
    count, x, c = model.encode(train)
    x_BN = np.frombuffer(x, np.float32).reshape(count, -1)  # type: ignore[call-overload]
    c_BC = np.frombuffer(c, np.uint16).reshape(count, -1).astype(np.int64)  # type: ignore[call-overload]
    sizes = _sizes(json.loads(model.manifest()))
    block = (x_BN, c_BC, sizes)
    few = (x_BN[:10], c_BC[:10], sizes)
    loop = Loop(block, few, seed=seed, threads=torch.get_num_threads(), batch=BATCH)
    loop.run(budget, lambda _: None, checkpoints=1)
    made_x, made_c = sample(loop, rows)
    back = loop.normal.inverse_transform(made_x) if x_BN.shape[1] else made_x
    x_bytes, c_bytes = np.asarray(back, "<f4").tobytes(), made_c.astype("<u2").tobytes()
    return pa.Table.from_batches([model.decode(rows, pa.py_buffer(x_bytes), pa.py_buffer(c_bytes))])


def _sizes(manifest: dict[str, Any]) -> list[int]:
    found = {f["category"]: f["size"] for c in manifest["columns"] for f in c["features"] if "category" in f}
    return [found[place] for place in sorted(found)]


def sample(loop: Any, rows: int) -> tuple[Any, Any]:
    """Rows by ancestral sampling: quantile-normal numbers and category codes, as numpy arrays."""
    import torch

    from benchmarks.speed.ddpm import TIMES

    draw = loop.generator
    x_BN = torch.randn(rows, loop.numbers, generator=draw)
    codes = [torch.randint(size, (rows,), generator=draw) for size in loop.sizes]
    times = list(range(TIMES - 1, -1, -SKIPPED))
    with torch.no_grad():
        for at, t in enumerate(times):
            share, before = loop.share[t], loop.share[times[at + 1]] if at + 1 < len(times) else torch.tensor(1.0)
            step = share / before
            hot = [torch.nn.functional.one_hot(c, size).float() for c, size in zip(codes, loop.sizes, strict=True)]
            out = loop.net(torch.cat([x_BN, *hot], 1), torch.full((rows,), float(t)))
            noise_BN, *logits = out.split([loop.numbers, *loop.sizes], 1)
            clean_BN = ((x_BN - (1 - share).sqrt() * noise_BN) / share.sqrt()).clamp(-6, 6)
            mean_BN = (before.sqrt() * (1 - step) * clean_BN + step.sqrt() * (1 - before) * x_BN) / (1 - share)
            spread = ((1 - step) * (1 - before) / (1 - share)).clamp(min=0).sqrt()
            x_BN = mean_BN + spread * torch.randn(x_BN.shape, generator=draw)
            for j, size in enumerate(loop.sizes):
                guess = before * logits[j].softmax(1) + (1 - before) / size
                weight = guess * (step * hot[j] + (1 - step) / size)
                codes[j] = torch.multinomial(weight, 1, generator=draw)[:, 0]
    return x_BN.numpy(), torch.stack(codes, 1).numpy() if codes else np.zeros((rows, 0), np.int64)
