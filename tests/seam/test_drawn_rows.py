"""Rows drawn by the extension: the slow numpy twin's to 1e-4, torch's in distribution, and the same in any company."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.networks import encoded_rows
from tests.oracle import sample as oracle

from tabad import _core
from tabad.constraints import NULL_TOGETHER, NULL_WITH, Constraint
from tabad.diffusion.categorical import Kind
from tabad.diffusion.compiled import sample_compiled
from tabad.diffusion.export import export, load
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.presets import Preset
from tabad.diffusion.sample import Given, Plan, sample
from tabad.diffusion.ties import Ties
from tabad.diffusion.train import train
from tabad.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    import numpy.typing as npt

CPU = torch.device("cpu")
ROWS = 300
# name -> sizes, status of each number, table column of each feature, labels
TABLES = {
    "mixed": ([5, 5, 4, 60, 2], [0, 1], [0, 1, 0, 1, 2, 3, 0], 3),
    "numbers": ([5] * 9, list(range(9)), [*range(9), *range(9)], 0),
    "categories": ([3, 7, 2, *([4] * 25)], [], list(range(28)), 0),
    "atoms": ([5, 5, 4], [0, 1], [0, 1, 0, 1, 2], 2),
}


@dataclass(frozen=True)
class Case:
    name: str
    config: str
    weights: bytes
    layout: Layout
    """With the atoms."""
    classes: int

    def forbidden(self) -> npt.NDArray[np.bool_]:
        """The last code of each category, and all but `present` of the first status where there is one."""
        forbidden = np.zeros(self.layout.codes, bool)
        ends = np.cumsum(self.layout.sizes)
        forbidden[ends - 1] = True
        if self.layout.numbers:
            forbidden[1:5] = True
        return forbidden


@pytest.fixture(scope="module", params=list(TABLES))
def case(request: pytest.FixtureRequest) -> Case:
    sizes, status, columns, classes = TABLES[request.param]
    draw = np.random.default_rng(1)
    x, c = encoded_rows(draw, ROWS, sizes, status, far=1, atoms=request.param == "atoms")
    labels = draw.integers(0, classes, ROWS).astype(np.uint16) if classes else None
    preset = Preset(48, 2, 64, 60, 1e9, rate=2e-2, pieces=26 if request.param == "numbers" else 8, atoms=8)
    layout = Layout.of(sizes, status, columns)
    trained = train(x, c, layout, preset=preset, device=CPU, seed=0, labels=labels, classes=classes)
    config, weights = export(trained)
    return Case(request.param, config, weights, load(config, weights, CPU).config.layout, classes)


def drawn(
    case: Case, rows: int, *, bfloat16: bool = False, forbidden: npt.NDArray[np.bool_] | None = None, **options: Any
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
    net = _core.Generator(case.config, case.weights, bfloat16=bfloat16)
    never = case.forbidden() if forbidden is None else forbidden
    seeds = options.pop("seeds", None) or [options.pop("seed")][: -(-rows // _core.SEED_ROWS)]
    x, c = net.sample(rows, seeds=seeds, forbidden=never.tobytes(), **options)
    x_BN = np.frombuffer(x, "<f4").reshape(rows, case.layout.numbers)
    return x_BN, np.frombuffer(c, "<u2").reshape(rows, case.layout.categories)


def known(case: Case, rows: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Rows that are known in every other column, each in another half."""
    draw = np.random.default_rng(4)
    x = draw.normal(size=(rows, case.layout.numbers)).astype(np.float32)
    c = np.zeros((rows, case.layout.categories), np.uint16)
    given = np.add.outer(np.arange(rows), np.arange(case.layout.table_columns)) % 2 == 0
    return x, c, given


def ties_of(case: Case) -> Ties:
    names = [f"c{column}" for column in range(case.layout.table_columns)]
    rules = [Constraint(NULL_TOGETHER, tuple(names[:2]))]
    if len(names) > 3:
        rules.append(Constraint(NULL_WITH, (names[2], names[3])))
    return Ties(rules, names, Index(case.layout, CPU))


@pytest.mark.parametrize("what", ["plain", "label", "guided", "given", "ties", "few steps, no noise"])
def test_rows_are_those_of_the_slow_twin(case: Case, what: str) -> None:
    rows, seed = 12, 7
    options: dict[str, Any] = {}
    slow: dict[str, Any] = {}
    if what in ("label", "guided"):
        if not case.classes:
            pytest.skip("a network without labels")
        options = {"label": 1, "guidance": 1.0 if what == "label" else 2.5}
        slow = dict(options)
    elif what == "given":
        x, c, given = known(case, rows)
        options = {"given": (x.tobytes(), c.tobytes(), given.tobytes())}
    elif what == "ties":
        ties = ties_of(case)
        options = {"ties": ties.told()}
        slow = {"ties": (*ties.told()[:2], ties.implies_TT.numpy() > 0, ties.bound_TT.numpy() > 0)}
    elif what == "few steps, no noise":
        options = slow = {"steps": 3, "noise": 0.0}
    x_found, c_found = drawn(case, rows, seed=seed, **options)
    twin = oracle.Sampler(case.config, case.weights)
    for row in range(rows):
        if what == "given":
            slow = {"given": (x[row], c[row], given[row])}
        x_slow, c_slow = twin.row(seed, row, forbidden=case.forbidden(), **slow)
        assert c_found[row].tolist() == c_slow
        # Twenty steps of a network of 48 in float32.
        np.testing.assert_allclose(x_found[row], x_slow, atol=1e-4, rtol=1e-4)


def test_a_row_is_the_same_in_any_company_and_by_any_number_of_threads(case: Case) -> None:
    x, c = drawn(case, 600, seed=3, threads=1)
    for rows, threads in ((600, 2), (256, 1), (257, 2), (64, 1), (1, 1)):
        some_x, some_c = drawn(case, rows, seed=3, threads=threads)
        assert some_x.tobytes() == x[:rows].tobytes()
        assert some_c.tobytes() == c[:rows].tobytes()
    many_x, many_c = drawn(case, 2_048 + 600, seeds=[9, 3])
    assert many_x[2_048:].tobytes() == x.tobytes()
    assert many_c[2_048:].tobytes() == c.tobytes()
    other_x, other_c = drawn(case, 600, seed=4)
    assert not np.array_equal(other_c, c)
    assert not case.layout.numbers or not np.array_equal(other_x, x)
    assert drawn(case, 0, seed=3)[1].shape[0] == 0


def test_what_is_given_stands_and_what_is_forbidden_is_not_drawn(case: Case) -> None:
    x, c, given = known(case, 500)
    x_found, c_found = drawn(case, 500, seed=1, given=(x.tobytes(), c.tobytes(), given.tobytes()))
    columns = np.array(case.layout.columns)
    numbers = case.layout.numbers
    held = given[:, columns[numbers:]]
    assert np.array_equal(c_found[held], c[held])
    there = given[:, columns[:numbers]] & (c_found[:, list(case.layout.status)] == 0)
    plain = np.ones(numbers, bool)
    plain[list(case.layout.atoms)] = False
    assert np.array_equal(x_found[:, plain][there[:, plain]], x[:, plain][there[:, plain]])
    code = c_found + np.cumsum([0, *case.layout.sizes])[:-1]
    assert not case.forbidden()[code[~held]].any()
    assert not x_found[c_found[:, list(case.layout.status)] != 0].any()


def test_the_distribution_is_that_of_torch(case: Case) -> None:
    rows = 20_000
    forbidden = np.zeros(case.layout.codes, bool)
    ties = ties_of(case)
    module = load(case.config, case.weights, CPU)
    generator = torch.Generator().manual_seed(0)
    label = 1 if case.classes else None
    plan = Plan(steps=8, guidance=1.5)
    x_BN, c_BC = sample(
        module,
        rows,
        Index(case.layout, CPU),
        Kind.MASKED,
        generator=generator,
        untold=case.classes,
        label=label,
        forbidden_S=torch.tensor(forbidden),
        ties=ties,
        atoms=module.atoms.on_scale(module.scale),
        plan=plan,
    )
    net = _core.Generator(case.config, case.weights)
    x_own, c_own = sample_compiled(
        net,
        rows,
        case.layout,
        generator=generator,
        forbidden_S=torch.tensor(forbidden),
        label=label,
        ties=ties,
        plan=plan,
    )
    assert x_own.dtype == x_BN.dtype
    assert c_own.dtype == c_BC.dtype
    pairs = [(0, 1), (1, 2)] if case.layout.categories > 2 else [(0, 0)]
    sizes = case.layout.sizes
    cells = [(c_BC[:, k], c_own[:, k], sizes[k]) for k in range(case.layout.categories)]
    cells += [
        (c_BC[:, a] * sizes[b] + c_BC[:, b], c_own[:, a] * sizes[b] + c_own[:, b], sizes[a] * sizes[b])
        for a, b in pairs
    ]
    for theirs, ours, size in cells:
        one, other = (np.bincount(codes.numpy(), minlength=size).astype(float) for codes in (theirs, ours))
        often = one + other > 10
        squares = ((one - other)[often] ** 2 / (one + other)[often]).sum()
        # Chi-squared of `often` cells; five standard deviations, and two cells more than there are.
        count = often.sum() + 2
        assert squares < count + 5 * np.sqrt(2 * count)
    # Bfloat16 moves what a number is expected to be by a hundredth; five standard errors of the difference beside it.
    for theirs, ours in zip(x_BN.T, x_own.T, strict=True):
        assert abs(float(theirs.mean() - ours.mean())) < 0.02 + 5 * float(theirs.std()) * np.sqrt(2 / rows)
        assert abs(float(theirs.std() / ours.std()) - 1) < 0.03


def test_bfloat16_changes_little(case: Case) -> None:
    x, c = drawn(case, 4_000, seeds=[3, 4])
    near_x, near_c = drawn(case, 4_000, seeds=[3, 4], bfloat16=True)
    assert (near_c == c).mean() > 0.97
    if case.layout.numbers:
        same = (near_c == c).all(axis=1)
        assert np.median(np.abs(near_x - x)[same]) < 0.02


def test_what_does_not_fit_is_refused(case: Case) -> None:
    def refused(**changed: Any) -> str:
        options = {"seeds": [1], "forbidden": case.forbidden().tobytes()} | changed
        with pytest.raises(UsageError) as caught:
            _core.Generator(case.config, case.weights).sample(3, **options)
        return str(caught.value)

    unfit = "what is asked of the network does not fit its columns"
    x, c, given = known(case, 3)
    assert unfit in refused(forbidden=b"")
    assert unfit in refused(steps=1)
    assert unfit in refused(seeds=[1, 2])
    assert unfit in refused(label=case.classes + 1)
    assert unfit in refused(given=(x.tobytes(), c.tobytes(), given.tobytes()[1:]))
    assert unfit in refused(given=(x.tobytes(), (c + 5_000).tobytes(), given.tobytes()))
    assert "needs" in refused(given=(b"", b"", given.tobytes()))
    assert unfit in refused(ties=([99], [0], b"\1", b"\1"))
    assert "ties of other sizes" in refused(ties=([0], [0], b"", b"\1"))


def test_networks_of_other_kinds_and_damaged_ones_are_refused() -> None:
    draw = np.random.default_rng(0)
    c = draw.integers(0, 3, (100, 2)).astype(np.uint16)
    preset = Preset(8, 1, 64, 10, 1e9, kind=Kind.MULTINOMIAL)
    layout = Layout.of([3, 3], [], [0, 1])
    config, weights = export(train(np.zeros((100, 0), np.float32), c, layout, preset=preset, device=CPU, seed=0))
    with pytest.raises(UsageError, match="masked categories alone"):
        _core.Generator(config, weights)
    with pytest.raises(ModelFileError):
        _core.Generator(config.replace('"width":8', '"width":9'), weights)


def test_given_rows_pass_through_torch_types(case: Case) -> None:
    x, c, given = known(case, 40)
    held = Given(torch.tensor(x), torch.tensor(c.astype(np.int64)), torch.tensor(given))
    net = _core.Generator(case.config, case.weights, bfloat16=False)
    forbidden = torch.tensor(case.forbidden())
    x_BN, c_BC = sample_compiled(
        net, 40, case.layout, generator=torch.Generator().manual_seed(2), forbidden_S=forbidden, given=held, plan=Plan()
    )
    seeds = torch.randint(2**62, (1,), generator=torch.Generator().manual_seed(2)).tolist()
    x_own, c_own = drawn(case, 40, seeds=seeds, given=(x.tobytes(), c.tobytes(), given.tobytes()))
    assert x_BN.numpy().tobytes() == x_own.tobytes()
    assert np.array_equal(c_BC.numpy(), c_own)
