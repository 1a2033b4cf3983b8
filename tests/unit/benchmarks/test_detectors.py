"""The peers written from papers find what they must, and agree with slow versions of themselves."""

import numpy as np
import pytest
from benchmarks.detectors import DEEP, MIXED_DEEP, NAMES, Task, method
from benchmarks.metrics import auroc

ODD = np.arange(200) >= 190


def numbers(contaminated: bool) -> Task:
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
    test[ODD] += 6
    return Task(test if contaminated else train, test, contaminated, seed=0, threads=1, budget=2.0)


def codes() -> Task:
    rng = np.random.default_rng(0)
    train, test = (np.repeat(rng.integers(0, 4, (200, 1)), 3, axis=1) for _ in range(2))
    test[ODD, 1] = (test[ODD, 0] + 1) % 4  # columns that always agree disagree
    return Task((train, [4, 4, 4]), (test, [4, 4, 4]), False, seed=0, threads=1, budget=4.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith(("tabad", "MaskDiff"))])
def test_every_peer_finds_rows_that_are_far_away(name) -> None:
    if name in ("ECOD", "HBOS"):
        pytest.importorskip("pyod", reason="peers live in benchmarks/requirements.txt")
    assert auroc(ODD, method(name).run(numbers(contaminated=False)).scores) > 0.9


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["kNN", "LOF", "kNN-Gower", "DTE-NP"])
def test_a_screened_row_is_not_its_own_neighbour(name) -> None:
    lonely = np.append(np.linspace(0, 1, 40), 50.0)[:, None]

    scores = method(name).run(Task(lonely, lonely, True, seed=0, threads=1)).scores

    assert scores.argmax() == 40
    assert (scores > 0).all()


@pytest.mark.parametrize("name", ["MaskDiff-AD", "MaskDiff-AD-kernel"])
def test_masked_diffusion_finds_columns_that_contradict_each_other(name) -> None:
    assert auroc(ODD, method(name).run(codes()).scores) > 0.9


def test_slow_methods_say_so_and_only_they() -> None:
    slow = {name for name in NAMES if not name.startswith("tabad") and method(name).slow}

    assert slow == {*DEEP, *MIXED_DEEP}


def test_kdsm_noise_follows_its_formula() -> None:
    from benchmarks.detectors.kdsm import noise_levels

    rng = np.random.default_rng(0)
    binary = rng.integers(0, 2, 5000).astype(float)
    heavy = rng.standard_t(2, 5000)

    flat, spiky = noise_levels(np.column_stack([binary, heavy]))

    assert flat == pytest.approx(0.5 * (1 + 0.33 * (1.8 - 3)))
    assert spiky > flat
