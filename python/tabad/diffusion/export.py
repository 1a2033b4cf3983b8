"""A network as a file: canonical JSON without floats, and a safetensors file that holds nothing but float32.

The same network gives the same bytes. What Rust reads (`rust/core/src/network/file.rs`) is what `load` reads.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from .categorical import Kind
from .denoiser import Config, Denoiser
from .layout import Layout

if TYPE_CHECKING:
    from .train import Trained

__all__ = ["export", "load"]

FORMAT = 4


def export(trained: Trained) -> tuple[str, bytes]:
    """`(config_json, safetensors_bytes)` of a trained network."""
    tensors = {name: tensor.detach().cpu().to(torch.float32).contiguous() for name, tensor in trained.state.items()}
    return _to_json(trained.config), bytes(safetensors.torch.save(tensors))


def load(config_json: str, data: bytes, device: torch.device) -> Denoiser:
    """The network on `device`, ready to predict. Raises ValueError where weights and config do not fit."""
    config = _from_json(json.loads(config_json))
    module = Denoiser(config, generator=torch.Generator())
    try:
        module.load_state_dict(safetensors.torch.load(data), strict=True)
    except RuntimeError as error:
        raise ValueError(f"the network's weights do not fit its config: {error}") from error
    return module.to(device).eval()


def _to_json(config: Config) -> str:
    own = config.layout.own_categories
    fields = {
        "format": FORMAT,
        "sizes": config.layout.sizes[:own],
        "status": config.layout.status,
        "columns": config.layout.columns[: config.layout.numbers + own],
        "atoms": config.layout.atoms,
        "atom_sizes": config.layout.sizes[own:],
        "width": config.width,
        "blocks": config.blocks,
        "categories": str(config.kind),
        "classes": config.classes,
        "scored_label": config.scored_label,
        "probes": config.probes,
        "joint": config.joint,
        "knots": config.knots,
        "pieces": config.pieces,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def _from_json(fields: dict[str, Any]) -> Config:
    if fields["format"] != FORMAT:
        raise ValueError(f"network format {fields['format']} is not known; this version reads {FORMAT}")
    layout = Layout(tuple(fields["sizes"]), tuple(fields["status"]), tuple(fields["columns"]))
    return Config(
        layout=layout.with_atoms(fields["atoms"], fields["atom_sizes"]),
        width=fields["width"],
        blocks=fields["blocks"],
        kind=Kind(fields["categories"]),
        classes=fields["classes"],
        scored_label=fields["scored_label"],
        probes=fields["probes"],
        joint=fields["joint"],
        knots=fields["knots"],
        pieces=fields["pieces"],
    )
