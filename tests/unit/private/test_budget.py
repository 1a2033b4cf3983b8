"""One (epsilon, delta) from one formula, against closed forms and a second implementation."""

import math

import pytest

from tabad.private.budget import Budget, delta_of, epsilon_of, mu_for

# dp-accounting 0.6.0, privacy loss distributions of Gaussians composed so many times:
#   from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism as pld
#   pld(sigma, value_discretization_interval=1e-5).self_compose(times).get_epsilon_for_delta(1e-6)
REFERENCE = {(4.0, 1): 1.060702, (20.0, 30): 1.170419, (50.0, 60): 0.634075, (9.0, 16): 1.981016}


def test_delta_is_that_of_balle_and_wang() -> None:
    # sigma = 1 / mu = 1, epsilon = 1: Phi(-1/2) - e Phi(-3/2).
    phi = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))  # noqa: E731

    assert delta_of(1.0, 1.0) == pytest.approx(phi(-0.5) - math.e * phi(-1.5), rel=1e-12)
    assert delta_of(0.0, 1.0) == 0.0


@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-6), (3.0, 1e-6), (0.1, 1e-9), (10.0, 1e-5)])
def test_mu_is_the_most_that_epsilon_and_delta_allow(epsilon: float, delta: float) -> None:
    mu = mu_for(epsilon, delta)

    assert delta_of(mu, epsilon) <= delta < delta_of(mu * 1.0001, epsilon)
    assert epsilon_of(mu, delta) == pytest.approx(epsilon, rel=1e-9)


@pytest.mark.parametrize(("sigma", "times"), REFERENCE)
def test_epsilon_is_within_two_percent_of_privacy_loss_distributions(sigma: float, times: int) -> None:
    budget = Budget(times / sigma**2)
    for _ in range(times):
        budget.sigma("test", 1.0, 1.0 / sigma**2 * (1 - 1e-12))

    assert epsilon_of(budget.used**0.5, 1e-6) == pytest.approx(REFERENCE[sigma, times], rel=0.02)


def test_mechanisms_add_up_and_no_more_than_the_total_is_given_out() -> None:
    budget = Budget(4.0)

    assert budget.sigma("a", 2.0, 1.0) == pytest.approx(2.0)
    assert budget.sigma("b", 1.0, 3.0) == pytest.approx(3.0**-0.5)
    assert budget.used <= 4.0
    assert [part["share"] for part in budget.composition()] == [0.25, 0.75]
    with pytest.raises(AssertionError, match="asks for"):
        budget.sigma("c", 1.0, 0.1)
