"""The image encoders that a fused model can use.

Each has a ``stem``, stages ``layer1`` to ``layer4`` with their ``channels`` and ``strides``, and
``finish``, which turns the last map into two vectors.
"""

from typing import Literal

from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.omni_scale import OmniScale

Encoder = ClipResNet | OmniScale
#: The names of the encoders in a recipe.
EncoderName = Literal["clip-resnet", "omni-scale"]


def new_encoder(
    name: EncoderName,
    width: int,
    layers: tuple[int, int, int, int],
    output_dim: int,
    image_size: tuple[int, int],
) -> Encoder:
    """An encoder with random weights; the omni-scale network has its own number of ``layers``.

    Raises ValueError for a size that cannot be built.
    """
    if name == "omni-scale":
        return OmniScale(width, output_dim, image_size)
    return ClipResNet(width, layers, output_dim, image_size)
