"""The audit by planted canaries passes honest mechanisms and finds three planted bugs of DP-SGD."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tabad.private.budget import mu_for
from tabad.private.canaries import epsilon_lower_bound, guesses_right
from tabad.private.noise import Noise

DELTA = 1e-5
CANARIES = 3_000


def test_bounds_are_those_of_the_theorem() -> None:
    # Without delta the bound is where Binomial(r, e^eps / (1 + e^eps)) reaches r with probability 0.05: 0.05^(1/r).
    q = 0.05 ** (1 / 100)

    assert epsilon_lower_bound(100, 100, 100, delta=0.0) == pytest.approx(np.log(q / (1 - q)), rel=1e-6)
    assert epsilon_lower_bound(100, 100, 55, delta=0.0) == 0.0
    assert epsilon_lower_bound(1000, 100, 100, delta=1e-3) < epsilon_lower_bound(1000, 100, 100, delta=0.0)


def test_the_surest_guesses_count() -> None:
    assert guesses_right([5.0, 1.0, 3.0, -2.0], [True, True, False, False], 2) == 2
    assert guesses_right([5.0, 1.0, 3.0, -2.0], [False, True, False, True], 2) == 0


def bound(scores: np.ndarray, included: np.ndarray, guesses: int) -> float:
    right = guesses_right(scores.tolist(), included.tolist(), guesses)
    return epsilon_lower_bound(len(scores), guesses, right, delta=DELTA)


@pytest.mark.parametrize(("given", "found"), [(1.0, False), (0.1, True)])
def test_noise_that_is_ten_times_too_small_is_found(given: float, found: bool) -> None:
    # A histogram with a cell per canary, under the noise that epsilon 1 asks for, or a tenth of it.
    included = np.random.default_rng(0).random(CANARIES) < 0.5
    sigma = given / mu_for(1.0, DELTA)
    noisy = Noise(seed=1).counts(included.astype(np.int64), sigma)

    assert (bound(noisy, included, 300) > 1.0) == found


torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

EPSILON, RATE, STEPS = 1.0, 0.01, 100


def train(
    batches: Callable[..., Iterator[object]], included: np.ndarray, *, gain: float = 50.0, clipped: bool = True
) -> np.ndarray:
    """The noisy sums of all steps [T, m]: canary i has a gradient of length `gain` along axis i."""
    from tabad.diffusion.private import Noisy, descend

    terms = terms_of()
    net = torch.nn.ParameterDict({"at": torch.nn.Parameter(torch.zeros(CANARIES))})
    members = torch.tensor(np.flatnonzero(included))
    seen: list[np.ndarray] = []

    def gradients(batch_B: object) -> Iterator[dict[str, object]]:
        rows = torch.zeros(len(batch_B), CANARIES)
        rows[torch.arange(len(batch_B)), members[batch_B]] = gain
        yield {"at": rows}

    if not clipped:
        # The bug: the norm that noise is scaled by, and a bound on gradients that never binds.
        terms = Noisy(terms.multiplier / gain, terms.rate, terms.steps, clip=gain)
    descend(
        net,
        gradients,
        batches(len(members), terms_of(), torch.Generator().manual_seed(5)),
        terms,
        expected=RATE * len(members),
        generator=torch.Generator().manual_seed(6),
        seen=lambda sums: seen.append(sums["at"].numpy()),
    )
    return np.stack(seen)


def terms_of() -> "object":
    from tabad.diffusion.private import Noisy

    # The least noise that Opacus' accountant allows for epsilon 1: see the test below.
    return Noisy(multiplier=MULTIPLIER, rate=RATE, steps=STEPS)


MULTIPLIER = 0.906


@pytest.fixture
def included() -> np.ndarray:
    return np.random.default_rng(2).random(CANARIES) < 0.5


@pytest.mark.filterwarnings("ignore")
def test_the_terms_are_those_of_epsilon_one() -> None:
    assert terms_of().epsilon(DELTA) == pytest.approx(EPSILON, rel=0.02)


def test_honest_training_passes(included: np.ndarray) -> None:
    from tabad.diffusion.private import poisson

    sums = train(poisson, included)

    assert max(bound(sums.sum(axis=0), included, guesses) for guesses in (50, 100, 300)) <= EPSILON


def test_gradients_that_are_not_clipped_are_found(included: np.ndarray) -> None:
    from tabad.diffusion.private import poisson

    assert bound(train(poisson, included, clipped=False).sum(axis=0), included, 300) > EPSILON


def test_a_larger_rate_than_was_accounted_for_is_found(included: np.ndarray) -> None:
    from tabad.diffusion.private import Noisy, poisson

    def eager(count: int, terms: Noisy, generator: object) -> Iterator[object]:
        return poisson(count, Noisy(terms.multiplier, 25 * terms.rate, terms.steps), generator)

    assert bound(train(eager, included).sum(axis=0), included, 300) > EPSILON


def test_batches_that_are_no_poisson_samples_are_found(included: np.ndarray) -> None:
    order = np.random.default_rng(3).permutation(int(included.sum()))
    parts = np.array_split(order, STEPS)

    def shuffled(count: int, terms: object, generator: object) -> Iterator[object]:
        # A loader of one epoch: every row in exactly one batch, which who knows the order can look at alone.
        return (torch.tensor(part) for part in parts)

    sums = train(shuffled, included)
    # The order is no secret; a canary that is out is looked for where it would have been.
    step_of = np.empty(CANARIES, np.int64)
    place = np.random.default_rng(4).integers(0, STEPS, CANARIES)
    step_of[:] = place
    for step, part in enumerate(parts):
        step_of[np.flatnonzero(included)[part]] = step

    assert bound(sums[step_of, np.arange(CANARIES)], included, 100) > EPSILON


def test_poisson_batches_hold_every_row_independently() -> None:
    from tabad.diffusion.private import Noisy, poisson

    sizes = [len(b) for b in poisson(2_000, Noisy(1.0, 0.05, 2_000), torch.Generator().manual_seed(0))]
    # Binomial(2000, 0.05): mean 100, variance 95; five standard errors of 2,000 draws.
    assert np.mean(sizes) == pytest.approx(100, abs=1.1)
    assert np.var(sizes) == pytest.approx(95, abs=15)


@pytest.mark.filterwarnings("ignore")
def test_noise_is_what_two_accountants_ask_for() -> None:
    from tabad.diffusion.private import Noisy

    terms = Noisy.of(EPSILON, DELTA, RATE, STEPS)

    assert terms.epsilon(DELTA) == pytest.approx(EPSILON, rel=0.02)
    # dp-accounting 0.6.0: from_gaussian_mechanism(0.906, sampling_prob=0.01, value_discretization_interval=1e-4)
    #   .self_compose(100).get_epsilon_for_delta(1e-5)
    assert Noisy(MULTIPLIER, RATE, STEPS).epsilon(DELTA) == pytest.approx(PLD_EPSILON, rel=0.02)


PLD_EPSILON = 0.985322
