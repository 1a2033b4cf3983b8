"""Logits worked out where they are asked for are those of the whole last layer."""

from __future__ import annotations

import pytest
import torch

from tabad.diffusion.categorical import Kind
from tabad.diffusion.denoiser import Config, Denoiser
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.logits import Whole, answers
from tabad.diffusion.predict import in_bfloat16
from tabad.diffusion.sample import Plan, sample

LAYOUT = Layout.of([5, 3, 1, 40, 3], [0], [0, 0, 1, 2, 3, 4])
INDEX = Index(LAYOUT, torch.device("cpu"))
ROWS = 300


def network(classes: int = 0) -> Denoiser:
    generator = torch.Generator().manual_seed(1)
    net = Denoiser(Config(LAYOUT, 32, 2, classes=classes), generator=generator)
    with torch.no_grad():
        net.head.copy_(torch.randn(net.head.shape, generator=generator) / 4)
        net.head_bias.copy_(torch.randn(net.head_bias.shape, generator=generator))
    return net


def fed(seed: int = 2) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randn(ROWS, width, generator=generator) for width in (1, 5, 5)]
    code_BC = torch.randint(-1, 1, (ROWS, 5), generator=generator)
    return (*rows, code_BC, torch.zeros(ROWS, dtype=torch.int64))


def test_cells_are_the_logits_of_their_row_and_column() -> None:
    net = network()
    with torch.no_grad():
        raw_BN, logits_BS = net(*fed())
        asked_BN, logits = answers(net, INDEX)(*fed())
    torch.testing.assert_close(asked_BN, raw_BN)
    assert len(logits) == ROWS
    torch.testing.assert_close(logits.whole(), logits_BS)
    which_BC = torch.rand(ROWS, 5, generator=torch.Generator().manual_seed(3)) < 0.2
    seen = 0
    for bucket, (members, _) in enumerate(INDEX.buckets):
        row_M, member_M = which_BC[:, members].nonzero(as_tuple=True)
        cells_MK, of_whole_MK = (some.cells(bucket, row_M, member_M) for some in (logits, Whole(logits_BS, INDEX)))
        for cell, (row, member) in enumerate(zip(row_M.tolist(), member_M.tolist(), strict=True)):
            column = int(members[member])
            first, size = int(INDEX.offset_C[column]), LAYOUT.sizes[column]
            for own_MK in (cells_MK, of_whole_MK):
                torch.testing.assert_close(own_MK[cell, :size], logits_BS[row, first : first + size])
            seen += 1
    assert seen == int(which_BC.sum()) > 200


def test_guidance_of_states_is_guidance_of_logits() -> None:
    net = network()
    with torch.no_grad():
        asked = answers(net, INDEX)
        (_, one), (_, other) = asked(*fed()), asked(*fed(5))
        one_BS, other_BS = net(*fed())[1], net(*fed(5))[1]
        expected_BS = one_BS + 2.5 * (other_BS - one_BS)
        mixed = one.towards(other, 2.5)
    torch.testing.assert_close(mixed.whole(), expected_BS, atol=1e-4, rtol=1e-4)
    assert one.whole().shape == other.whole().shape == expected_BS.shape


@pytest.mark.parametrize("label", [None, 1])
def test_rows_are_those_of_the_whole_network(label: int | None) -> None:
    """Sums of another order differ in the seventh digit, which decides the code of one cell in a million."""
    net = network(classes=2)

    def whole(*rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return net(*rows)  # type: ignore[no-any-return]

    (x_BN, c_BC), (whole_BN, whole_BC) = (
        sample(
            some, 2_000, INDEX, Kind.MASKED, generator=torch.Generator().manual_seed(4), untold=2, label=label,
            plan=Plan(guidance=2.0),
        )
        for some in (net, whole)
    )  # fmt: skip
    same_B = (c_BC == whole_BC).all(dim=1)
    assert int((~same_B).sum()) <= 2
    torch.testing.assert_close(x_BN[same_B], whole_BN[same_B], atol=1e-3, rtol=1e-3)


def test_in_bfloat16_they_are_float32_and_those_of_the_network_to_three_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabad.diffusion.predict.has_bfloat16", lambda _: True)
    net = network()
    with torch.no_grad():
        exact_BN, exact_BS = net(*fed())
        raw_BN, logits = answers(in_bfloat16(net), INDEX)(*fed())
        assert raw_BN.dtype is logits.whole().dtype is torch.float32
        assert float((logits.whole() - exact_BS).abs().max()) < 0.03 * float(exact_BS.std())
        assert float((raw_BN - exact_BN).abs().max()) < 0.03 * float(exact_BN.std())
        members = INDEX.buckets[0][0]
        row_M, member_M = torch.ones(ROWS, len(members), dtype=torch.bool).nonzero(as_tuple=True)
        assert logits.cells(0, row_M, member_M).dtype is torch.float32
