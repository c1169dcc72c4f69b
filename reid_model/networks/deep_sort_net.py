"""The 512-d appearance network of Deep SORT's PyTorch ports, without its classifier."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_CLASSIFIER = "classifier."


class _Block(nn.Module):
    """Two 3x3 convolutions with a shortcut. ``halve`` halves height and width."""

    def __init__(self, inputs: int, outputs: int, halve: bool) -> None:
        super().__init__()
        stride = 2 if halve else 1
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if halve:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, stride=2, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.downsample(x) + self.bn2(self.conv2(y)))


class DeepSortNet(nn.Module):
    """Crops ``(N, 3, 128, 64)``, normalised RGB, to vectors ``(N, 512)``, not normalised.

    The modules are named as in the checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        self.layer1 = nn.Sequential(_Block(64, 64, False), _Block(64, 64, False))
        self.layer2 = nn.Sequential(_Block(64, 128, True), _Block(128, 128, False))
        self.layer3 = nn.Sequential(_Block(128, 256, True), _Block(256, 256, False))
        self.layer4 = nn.Sequential(_Block(256, 512, True), _Block(512, 512, False))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(self.conv(x)))
        x = self.layer4(self.layer3(x))
        return x.mean(dim=(2, 3))


def load_deep_sort(path: Path) -> DeepSortNet:
    """Read a checkpoint (a mapping with the parameters under ``net_dict``), ready for inference.

    Only tensors are unpickled. Raises ValueError when the file is not such a checkpoint.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        parameters = checkpoint["net_dict"]
        kept = {key: value for key, value in parameters.items() if not key.startswith(_CLASSIFIER)}
        net = DeepSortNet()
        net.load_state_dict(kept)
    except (RuntimeError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise ValueError(f"{path} is not a deep-sort checkpoint") from error
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} contains more than tensors, or is not a checkpoint") from error
    return net.eval()
