"""Which device the network runs on."""

import torch

__all__ = ["pick"]


def pick(name: str) -> torch.device:
    """The device of `auto | cpu | cuda`: `auto` is a GPU where torch sees one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
