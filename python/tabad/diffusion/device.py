"""Which device the network runs on, and what it does fast."""

import torch

from tabad.errors import UsageError

__all__ = ["has_bfloat16", "pick"]


def pick(name: str) -> torch.device:
    """The device of `auto | cpu | cuda`: `auto` is a GPU where torch sees one. `UsageError` for one it does not see."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        hint = "leave --device out, or install a CUDA build of torch"
        raise UsageError("torch sees no GPU here", name="no-gpu", hint=hint)
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 natively: a GPU, or a processor with AVX512-BF16 (four times float32 there)."""
    if device.type == "cpu":
        return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    return True
