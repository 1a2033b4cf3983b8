"""Training of the network: AdamW, one cosine cycle, an average of the weights, early stopping on held-out rows.

The order of a run and nothing else: rows and losses are `batches`, sizes are `presets`. Every draw comes from
generators of one seed, so that it gives the same network bit for bit on one machine, as long as the cap on seconds is
not met.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from . import atoms, categorical, marginals, probes, quantile, shares
from .adamw import AdamW
from .batches import Corrupted, Rows, batch_loss, corrupt, draw_rows, loss_sum, on_scale, take, to_rows
from .denoiser import Config, Denoiser
from .device import has_bfloat16
from .energies import hidden_variance
from .halves import one_thread
from .layout import Index, Layout
from .replay import gradients
from .seeding import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from .presets import Preset

__all__ = ["Evaluation", "Progress", "Trained", "train"]

Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]
HeldOut = tuple[Numbers, Codes, Codes | None]

_HELD_OUT_ROWS = 2_048
_HELD_OUT_SEED = 1_234_567
_WARM_UP = 0.15
_UNSEEN = 0.1
"""Rows that count for a code which no training row has."""
_GRADIENT_NORM = 1.0
_AHEAD = 8
"""Batches that are corrupted together: small tensors cost their overhead, not their arithmetic."""
_FIRST_STEPS, _PACE_STEPS = 5, 20
"""Steps that do not count for the pace (they warm up), and how often it is looked at."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands; `loss` is the last held-out loss, `seconds_left` an estimate."""

    step: int
    total: int
    loss: float
    seconds_left: float


@dataclass(frozen=True)
class Evaluation:
    """One line of the log."""

    step: int
    training_loss: float
    held_out_loss: float


@dataclass(frozen=True)
class Trained:
    """A trained network on the CPU, and how it came about."""

    config: Config
    state: dict[str, Tensor]
    log: tuple[Evaluation, ...]
    steps: int
    seconds: float
    stopped: str
    """Why it ended: `steps`, `patience`, `seconds` (fewer steps than planned), `stop` (asked to) or `interrupted`."""

    @property
    def interrupted(self) -> bool:
        return self.stopped in ("stop", "interrupted")

    @property
    def held_out_loss(self) -> float:
        """Of the weights kept; infinite if training ended before the first evaluation."""
        return min((line.held_out_loss for line in self.log), default=math.inf)


def train(
    x: Numbers,
    c: Codes,
    layout: Layout,
    *,
    preset: Preset,
    device: torch.device,
    seed: int,
    labels: Codes | None = None,
    classes: int = 0,
    scored_label: int | None = None,
    held_out: HeldOut | None = None,
    progress: Callable[[Progress], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Trained:
    """A network fitted to rows `x_BN`, `c_BC`, with its probes.

    `labels` are codes 0 .. classes - 1 the network is conditioned on; `scored_label` is the one that energies are
    computed under (default: none). Without `held_out` a tenth of the rows is held out. Ctrl-C and `stop` end
    the run with the best weights so far. Raises ValueError for arrays that do not fit the layout.
    """
    index = Index(layout, device)
    generator = seeded(device, seed)
    rows = to_rows(x, c, labels, index)
    if len(rows) < 2:
        raise ValueError(f"{len(rows)} rows are too few to train a network on")
    classes = classes if labels is not None else 0
    if labels is not None and (len(labels) != len(rows) or int(labels.max()) >= classes):
        raise ValueError("labels must be one code below `classes` for each row")
    if held_out is None:
        rows, held = _split(rows, generator)
    else:
        held = to_rows(*held_out, index)
    scale = quantile.fit(rows.x_BN, index.present(rows.c_BC))
    rows, held = on_scale(rows, scale), on_scale(held, scale)
    named, layout = atoms.find(rows.x_BN, index.present(rows.c_BC), layout, preset.atoms)
    if len(named):
        rows, held = (atoms.with_codes(part, named, index) for part in (rows, held))
        index = Index(layout, device)
    probes_KP, joint = probes.design(layout.table_columns)
    config = Config(
        layout,
        preset.width,
        preset.blocks,
        preset.kind,
        classes,
        classes if scored_label is None else scored_label,
        len(probes_KP),
        joint,
        pieces=preset.pieces,
    )
    run = _Run(config, preset, rows, held, index, generator)
    stopped = run.loop(progress, stop)
    average = run.best
    for table in quantile.TABLES:
        getattr(average, table).copy_(getattr(scale, f"{table}_NK"))
    average.atom.copy_(named.value_EA)
    if preset.matched and stopped not in ("stop", "interrupted"):
        _match(average, rows, held, index, preset.matched, generator=generator)
    average.probes.copy_(probes_KP)
    own_BC = held.c_BC[:, : layout.own_categories]
    average.hidden_variance.copy_(hidden_variance(average, held.x_BN, own_BC, device))
    state = {name: tensor.detach().cpu().clone() for name, tensor in average.state_dict().items()}
    return Trained(config, state, tuple(run.log), run.step, time.monotonic() - run.began, stopped)


class _Run:
    """The state of one run: the network, its average, the best average, the log."""

    def __init__(
        self, config: Config, preset: Preset, rows: Rows, held: Rows, index: Index, generator: torch.Generator
    ) -> None:
        self.config, self.preset, self.rows, self.index = config, preset, rows, index
        self.generator = generator
        self.net = Denoiser(config, generator=generator, dropout=preset.dropout)
        shares.begin(self.net, _shares(rows, index))
        self.average = copy.deepcopy(self.net)
        self.best = copy.deepcopy(self.net)
        # A sampler begins with them seen: masked at high levels, a number was taken for further out than it is.
        self.always_C = index.always_present(categorical.counts(rows.c_BC, index) == 0)
        self.held = _fixed_corruption(held, index, config, preset, self.always_C)
        self.log: list[Evaluation] = []
        self.ahead: list[Corrupted] = []
        # Each half drops out cells by itself.
        seeds = torch.randint(2**62, (2,), generator=generator, device=generator.device).tolist()
        self.dropped = [torch.Generator(device=generator.device).manual_seed(seed) for seed in seeds]
        self.gradients = gradients(self.net, index.device, self.dropped)
        self.step = 0
        self.began = time.monotonic()

    def loop(self, progress: Callable[[Progress], object] | None, stop: Callable[[], bool] | None) -> str:
        """Train to the end; return the reason for it. `best` and `log` hold the outcome."""
        try:
            with one_thread():
                reason = self._loop(progress, stop)
        except KeyboardInterrupt:
            reason = "interrupted"
        finally:
            self.gradients.close()
        if not self.log:
            self.best = self.average
        return reason

    def _loop(self, progress: Callable[[Progress], object] | None, stop: Callable[[], bool] | None) -> str:
        optimiser = AdamW(self.net.parameters(), weight_decay=self.preset.weight_decay)
        total, pace_from = self.preset.steps, time.monotonic()
        evaluate_at = self._next_evaluation(total)
        while self.step < total:
            if stop is not None and stop():
                return "stop"
            loss = self._update(optimiser, self.preset.rate * _cycle(self.step / total))
            self.step += 1
            if self.step == _FIRST_STEPS:
                pace_from = time.monotonic()
            if self.step % _PACE_STEPS == 0:
                total = self._affordable(pace_from)
            if self.step >= min(evaluate_at, total):
                self._evaluate(float(loss))
                evaluate_at = self._next_evaluation(total)
                if progress is not None:
                    left = (time.monotonic() - self.began) / self.step * (total - self.step)
                    progress(Progress(self.step, total, self.log[-1].held_out_loss, left))
                if self._is_stale():
                    return "patience"
        return "steps" if total == self.preset.steps else "seconds"

    def _affordable(self, pace_from: float) -> int:
        """How many steps there is time for, so that the cycle of rates ends with the time on a slow machine too."""
        now = time.monotonic()
        left = self.preset.seconds - (now - self.began)
        pace = (now - pace_from) / (self.step - _FIRST_STEPS)
        return max(self.step, min(self.preset.steps, self.step + int(left / max(pace, 1e-9))))

    def _next_evaluation(self, total: int) -> int:
        return self.step + max(1, total // self.preset.evaluations)

    def _update(self, optimiser: AdamW, rate: float) -> Tensor:
        if not self.ahead:
            self.ahead = self._batches()
        loss = self.gradients.backward(self._loss, self.ahead.pop().tensors())
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), _GRADIENT_NORM)
        optimiser.step(rate)
        decay = min(self.preset.ema, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.net.parameters()), 1.0 - decay)
        return loss

    def _loss(self, net: Denoiser, rows: tuple[Tensor, ...], half: int) -> tuple[Tensor, Tensor]:
        device = self.index.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device)):
            return loss_sum(net, Corrupted(*rows), self.index, generator=self.dropped[half])

    def _batches(self) -> list[Corrupted]:
        preset = self.preset
        indices_B, label_B = draw_rows(
            self.rows,
            preset.batch * _AHEAD,
            classes=self.config.classes,
            drop_label=preset.drop_label,
            rare_share=preset.rare_share,
            generator=self.generator,
        )
        drawn = corrupt(
            self.rows, indices_B, label_B, self.index, preset.kind, generator=self.generator, always_C=self.always_C
        )
        return drawn.split(preset.batch)

    def _evaluate(self, training_loss: float) -> None:
        with torch.no_grad():
            loss = float(batch_loss(self.average, self.held, self.index))
        if loss < min((line.held_out_loss for line in self.log), default=math.inf):
            self.best.load_state_dict(self.average.state_dict())
        self.log.append(Evaluation(self.step, training_loss, loss))

    def _is_stale(self) -> bool:
        best = min(self.log, key=lambda line: line.held_out_loss)
        return len(self.log) - self.log.index(best) > self.preset.patience


def _match(net: Denoiser, rows: Rows, held: Rows, index: Index, count: int, *, generator: torch.Generator) -> None:
    """Let what is generated have the codes of all these rows as often, and their numbers as spread."""
    c_BC = torch.cat([rows.c_BC, held.c_BC])
    shares.match(net, c_BC, index, count, generator=generator)
    unseen_S = categorical.counts(c_BC, index) == 0
    drawn_BN, drawn_BC = shares.draw(net, index, count, forbidden_S=unseen_S, generator=generator)
    low_BN, high_BN = torch.cat([rows.low_BN, held.low_BN]), torch.cat([rows.high_BN, held.high_BN])
    wanted_BN = quantile.within(low_BN, high_BN, generator=generator)
    # What is an atom comes as that value.
    numbers = index.layout.numbers
    free_BN = index.present(c_BC) & ~net.atoms.named(c_BC, numbers)
    drawn_free_BN = index.present(drawn_BC) & ~net.atoms.named(drawn_BC, numbers)
    fitted = marginals.fit(drawn_BN, drawn_free_BN, wanted_BN, free_BN, net.config.knots)
    net.drawn.copy_(fitted.drawn_NK)
    net.wanted.copy_(fitted.wanted_NK)


def _shares(rows: Rows, index: Index) -> Tensor:
    """How often the rows have each code of its column [S]; never 0."""
    return (categorical.counts(rows.c_BC, index) + _UNSEEN) / (len(rows) + _UNSEEN * index.size_C[index.category_S])


def _cycle(done: float) -> float:
    """Share of the peak rate after a share `done` of the steps: linear up, cosine down to 1 %."""
    if done < _WARM_UP:
        return 0.05 + 0.95 * done / _WARM_UP
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * (done - _WARM_UP) / (1.0 - _WARM_UP)))


def _split(rows: Rows, generator: torch.Generator) -> tuple[Rows, Rows]:
    order = torch.randperm(len(rows), generator=generator, device=generator.device)
    held, kept = order[: max(1, len(rows) // 10)], order[max(1, len(rows) // 10) :]
    return take(rows, kept), take(rows, held)


def _fixed_corruption(held: Rows, index: Index, config: Config, preset: Preset, always_C: Tensor) -> Corrupted:
    """The held-out rows, repeated up to a few thousand, corrupted once and for all."""
    generator = torch.Generator(device=index.device).manual_seed(_HELD_OUT_SEED)
    indices_B = torch.arange(_HELD_OUT_ROWS, device=index.device) % len(held)
    if len(held) > _HELD_OUT_ROWS:
        indices_B = torch.randperm(len(held), generator=generator, device=index.device)[:_HELD_OUT_ROWS]
    label_B = torch.full_like(indices_B, config.classes)
    if held.label_B is not None and config.classes:
        told_B = torch.rand(len(indices_B), generator=generator, device=index.device) >= preset.drop_label
        label_B = torch.where(told_B, held.label_B[indices_B], label_B)
    return corrupt(held, indices_B, label_B, index, preset.kind, generator=generator, always_C=always_C)
