"""Pictures of a set as PyTorch datasets; each augmented picture has its own seed."""

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from reid_model.data.augment import chance, mixed
from reid_model.data.picture_files import read_picture
from reid_model.data.reid_set import ReidImage, class_labels
from reid_model.data.transforms import EvaluationTransform, TrainTransform

#: The class of a picture in which two people are mixed.
NO_IDENTITY = -1
#: Index of a picture, and the seed of its augmentation.
Key = tuple[int, int]


class TrainingPictures(Dataset[tuple[torch.Tensor, int]]):
    """``(pixels (3, H, W), class)`` for a key ``(index, seed)``, the same in every process.

    With the probability ``mix`` another person is mixed in, and the class is `NO_IDENTITY`.

    Used as ``DataLoader(pictures, batch_sampler=seeded(sampler.epoch(7), sampler.seed, 7))``.
    """

    def __init__(
        self, images: Sequence[ReidImage], transform: TrainTransform, mix: float = 0.0
    ) -> None:
        self.labels = class_labels(images)
        self._images = images
        self._transform = transform
        self._mix = mix

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, int]:
        """Raises ValueError when the file is not a picture."""
        index, seed = key
        generator = torch.Generator().manual_seed(seed)
        image, label = read_picture(self._images[index].path), int(self.labels[index])

        def other() -> torch.Tensor:
            index = int(torch.randint(len(self._images), (), generator=generator))
            return read_picture(self._images[index].path)

        # Without mixing nothing is drawn for it: it would change all augmentations that follow.
        if self._mix and chance(self._mix, generator):
            image, label = mixed(image, other(), generator), NO_IDENTITY
        return self._transform(image, generator, other), label


class EvaluationPictures(Dataset[torch.Tensor]):
    """``(3, H, W)`` for an index, only resized and normalised."""

    def __init__(self, images: Sequence[ReidImage], transform: EvaluationTransform) -> None:
        self._images = images
        self._transform = transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Raises ValueError when the file is not a picture."""
        return self._transform(read_picture(self._images[index].path))


def seeded(batches: Sequence[Sequence[int]], seed: int, epoch: int) -> list[list[Key]]:
    """The keys of an epoch's batches; the arguments determine the seed of each position."""
    count = sum(map(len, batches))
    generator = torch.Generator().manual_seed(seed + epoch * 1_000_003)
    seeds = iter(torch.randint(2**62, (count,), generator=generator).tolist())
    return [[(index, next(seeds)) for index in batch] for batch in batches]
