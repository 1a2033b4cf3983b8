"""Nulls that come together are drawn together: as often as they are, and never torn apart."""

import pytest
import torch
from torch import Tensor

from tabad.constraints import Constraint
from tabad.diffusion.categorical import MASK, Kind
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.sample import Plan, sample
from tabad.diffusion.ties import Ties

COLUMNS = 4
NULL_SHARE = 0.05
INDEX = Index(Layout.of([5] * COLUMNS, list(range(COLUMNS)), list(range(COLUMNS)) * 2), torch.device("cpu"))


def knows_the_table(
    number_BN: Tensor,
    level_BP: Tensor,
    hidden_BP: Tensor,
    code_BC: Tensor,
    label_B: Tensor,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """The conditionals of a table whose columns are all null in one row of twenty; rows that it lacks look usual."""
    null_B, value_B = (code_BC == 1).any(1), (code_BC == 0).any(1)
    share_B = torch.full((len(code_BC),), NULL_SHARE)
    share_B[null_B & ~value_B] = 1.0 - 1e-4
    share_B[value_B] = 1e-4
    logits_BCK = torch.full((len(code_BC), COLUMNS, 5), -30.0)
    logits_BCK[:, :, 1], logits_BCK[:, :, 0] = share_B.log()[:, None], (1.0 - share_B).log()[:, None]
    return torch.zeros_like(number_BN), logits_BCK.flatten(1)


def nulls(constraints: list[Constraint]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    ties = Ties(constraints, list("abcd"), INDEX)
    _, c_BC = sample(
        knows_the_table, 4_000, INDEX, Kind.MASKED, generator=generator, untold=0, ties=ties, plan=Plan(steps=12)
    )
    return c_BC == 1


@pytest.mark.parametrize(
    "constraints",
    [
        [Constraint("null_together", tuple("abcd"))],
        [
            Constraint("null_together", ("a", "b")),
            Constraint("null_with", ("b", "c")),
            Constraint("null_with", ("c", "d")),
        ],
    ],
)
def test_joint_nulls_are_as_frequent_as_in_the_table(constraints: list[Constraint]) -> None:
    empty_BC = nulls(constraints)
    # Four standard errors of 4,000 rows at one in twenty are 0.0138.
    assert abs(empty_BC.all(1).float().mean() - NULL_SHARE) < 0.0138
    assert not (empty_BC[:, 0] & ~empty_BC.all(1)).any()


def test_without_ties_joint_nulls_are_torn() -> None:
    empty_BC = nulls([])
    torn = (empty_BC.any(1) & ~empty_BC.all(1)).float().mean()
    # What the ties are for: with twelve steps several of four statuses are often drawn at once.
    assert torn > 0.01


def test_what_is_seen_rules_out_what_contradicts_it() -> None:
    ties = Ties([Constraint("null_with", ("a", "b"))], list("abcd"), INDEX)
    logits_BS = torch.zeros(3, 20)
    seen_BC = torch.tensor([[1, MASK, MASK, MASK], [MASK, 0, MASK, MASK], [MASK, 1, MASK, MASK]])
    imposed_BS, open_BT = ties.impose(seen_BC, logits_BS)
    never = torch.isinf(imposed_BS)
    # a is null: b is. b has a value: a is not null. b is null: nothing follows.
    assert never[0, 5:10].tolist() == [True, False, True, True, True]
    assert never[1, 0:5].tolist() == [False, True, False, False, False]
    assert not never[2, 0:5].any()
    assert open_BT.tolist() == [[False, False], [False, False], [True, False]]


def test_of_tied_cells_one_a_step_is_revealed() -> None:
    ties = Ties([Constraint("null_together", ("a", "b", "c"))], list("abcd"), INDEX)
    before_BC, after_BC = torch.full((50, 4), MASK), torch.zeros(50, 4, dtype=torch.int64)
    open_BT = torch.ones(50, 3, dtype=torch.bool)
    kept_BC = ties.one_a_step(before_BC, after_BC, open_BT, generator=torch.Generator().manual_seed(0))
    assert (kept_BC[:, :3] == 0).sum(1).tolist() == [1] * 50
    assert kept_BC[:, 3].tolist() == [0] * 50
