"""Nothing of a hidden column, and nothing of an absent number, reaches the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tabad.diffusion.categorical import MASK
from tabad.diffusion.denoiser import Config, Denoiser
from tabad.diffusion.layout import Index, Layout
from tabad.diffusion.predict import in_bfloat16, inputs, predict
from tabad.diffusion.schedule import HIDDEN

if TYPE_CHECKING:
    import pytest

# Column 0 owns number 0, its status and category 2; column 1 owns number 1 and its status; column 2 category 3.
LAYOUT = Layout.of([5, 5, 3, 7], [0, 1], [0, 1, 0, 1, 0, 2])
INDEX = Index(LAYOUT, torch.device("cpu"))


def network() -> Denoiser:
    generator = torch.Generator().manual_seed(0)
    net = Denoiser(Config(LAYOUT, 16, 2), generator=generator)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return net.eval()


def answer(x: list[float], c: list[int], sigma: list[float]) -> torch.Tensor:
    with torch.no_grad():
        label = torch.zeros(1, dtype=torch.int64)
        parts = predict(network(), torch.tensor([x]), torch.tensor([c]), torch.tensor([sigma]), label, INDEX)
    return torch.cat(parts, dim=1)


def test_a_hidden_column_changes_no_bit() -> None:
    before = answer([0.5, 1.0], [0, 0, 1, 4], [HIDDEN, 0.3, 1.0])
    after = answer([-9.0, 1.0], [3, 0, 2, 4], [HIDDEN, 0.3, 1.0])
    assert torch.equal(before, after)


def test_a_seen_column_does_change_the_answer() -> None:
    before = answer([0.5, 1.0], [0, 0, 1, 4], [0.3, 0.3, 1.0])
    assert not torch.equal(before, answer([0.6, 1.0], [0, 0, 1, 4], [0.3, 0.3, 1.0]))
    assert not torch.equal(before, answer([0.5, 1.0], [0, 0, 2, 4], [0.3, 0.3, 1.0]))


def test_an_absent_number_changes_no_bit() -> None:
    before = answer([0.5, 1.0], [1, 0, 1, 4], [0.3, 0.3, 1.0])
    assert torch.equal(before, answer([7.0, 1.0], [1, 0, 1, 4], [0.3, 0.3, 1.0]))


def test_a_number_whose_status_is_masked_is_not_seen() -> None:
    fed = inputs(torch.tensor([[0.5, 1.0]]), torch.tensor([[MASK, 0, 1, 4]]), torch.ones(1, 3), INDEX)
    assert fed.number_BN[0, 0] == 0.0
    assert (fed.scales.skip[0, 0], fed.scales.out[0, 0]) == (0.0, 1.0)
    assert fed.hidden_BP.tolist() == [[0.0, 0.0, 0.0]]


def test_numbers_are_clipped_and_scaled() -> None:
    fed = inputs(torch.tensor([[1e6, -3.0]]), torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 3), INDEX)
    torch.testing.assert_close(fed.number_BN, torch.tensor([[30.0, -3.0]]) / 2**0.5)


def test_codes_enter_as_their_one_hot_would() -> None:
    net = network()
    code_BC = torch.tensor([[0, MASK, 2, 6]])
    one_hot = torch.zeros(1, LAYOUT.codes)
    one_hot[0, [0, 12, 19]] = 1.0
    torch.testing.assert_close(net._codes(code_BC), one_hot @ net.code)


def test_a_device_without_bfloat16_samples_from_the_network_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabad.diffusion.predict.has_bfloat16", lambda _: False)
    net = network()
    assert in_bfloat16(net) is net


def test_the_network_in_bfloat16_is_the_network_to_three_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabad.diffusion.predict.has_bfloat16", lambda _: True)
    generator = torch.Generator().manual_seed(1)
    net = Denoiser(Config(LAYOUT, 64, 3), generator=generator)
    with torch.no_grad():
        net.head.copy_(torch.randn(net.head.shape, generator=generator) / 8)
    code = torch.randint(-1, 3, (200, 4), generator=generator)
    fed = [torch.randn(200, width, generator=generator) for width in (2, 3, 3)]
    label = torch.zeros(200, dtype=torch.int64)
    with torch.no_grad():
        for exact, half in zip(net(*fed, code, label), in_bfloat16(net)(*fed, code, label), strict=True):
            assert half.dtype is torch.float32
            # bfloat16 has 8 bits: 0.4 % a rounding, seven layers of them.
            assert float((half - exact).abs().max()) < 0.03 * float(exact.std())
    assert net.head.dtype is torch.float32
