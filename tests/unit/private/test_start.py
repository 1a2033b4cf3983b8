"""The network of DP-SGD begins with the noisy counts of single columns, which are paid for."""

import numpy as np
import pytest

from tabad.private.grids import Grid
from tabad.private.process import Encoded

pytest.importorskip("torch")
pytest.importorskip("opacus")

ROWS = 4_000


def grid(*mass: float) -> Grid:
    leaves = np.arange(len(mass))
    return Grid(leaves, np.ones(len(mass), np.int64), np.array(mass, float), leaves, sigma=2.0)


@pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha")  # of one step alone
def test_after_one_step_rows_have_the_shares_of_the_noisy_counts_and_not_of_the_table() -> None:
    """All rows of the table are in the first bin; one step of 0.002 moves a logit by about that much."""
    from tabad.diffusion.private import train_private

    encoded = Encoded([], [grid(2_800, 1_200, 0), grid(400, 3_600)], [np.zeros(ROWS, np.int64)] * 2)
    (first, second), _ = train_private(encoded, 1.0, 1e-6, seed=0, steps=1)
    assert len(first) == ROWS
    # Five standard errors of a share among 4,000 rows are 0.036 at 0.3 and 0.024 at 0.1.
    assert abs((first == 1).mean() - 0.3) < 0.036
    assert abs((second == 0).mean() - 0.1) < 0.024
    # Half of its noise is what a bin without rows is given: 1 in 4,001.
    assert (first == 2).mean() < 0.002
    # Nothing was learned: the columns are independent.
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(ROWS)
