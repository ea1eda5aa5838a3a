"""The architectures: networks without their classifier and with random weights, and how published
state dicts become theirs. Nothing here imports torch until a network is really made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

State = dict[str, Any]


def resnet50() -> torch.nn.Module:
    """torchvision's ResNet50."""
    import torch
    import torchvision

    network: torch.nn.Module = torchvision.models.resnet50(weights=None)
    network.fc = torch.nn.Identity()
    return network


def from_timm(name: str) -> torch.nn.Module:
    """timm's network of that name."""
    import timm

    network: torch.nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    return network


def without_classifier(state: State, network: torch.nn.Module) -> State:  # noqa: ARG001
    """Some collections call the classifier ``last_linear``, and older files of Xception have the
    kernels of 1 x 1 as matrices."""
    return {
        key: value[..., None, None] if "pointwise" in key and value.dim() == 2 else value
        for key, value in state.items()
        if not key.startswith(("fc.", "last_linear."))
    }


def as_it_is(state: State, network: torch.nn.Module) -> State:  # noqa: ARG001
    """The file is the network's own."""
    return state


def in_timm_order(state: State, network: torch.nn.Module) -> State:
    """The packaged weights name the layers of TensorFlow's port in the same order as timm, with
    two more for the classifier at the end. Shapes are checked by ``load_state_dict``."""
    names = list(network.state_dict())
    if set(names) <= set(state):  # saved from timm
        return {name: state[name] for name in names}
    return dict(zip(names, state.values(), strict=False))


def with_normalisation(
    network: torch.nn.Module, mean: tuple[float, ...], std: tuple[float, ...]
) -> torch.nn.Module:
    """The network for uint8 pixels ``(N, H, W, 3)``, which it makes ``(value - mean) / std``."""
    import torch

    class Normalised(torch.nn.Module):
        mean: torch.Tensor
        std: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
            self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            channels_first = pixels.permute(0, 3, 1, 2).float()
            features: torch.Tensor = self.network((channels_first - self.mean) / self.std)
            return features

    return Normalised()
