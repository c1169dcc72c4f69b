"""What FusionSegReID gives of a crop: the ReID vector, the one shared with words, body parts."""

import numpy as np
from numpy.typing import NDArray

from reid_model.embedder import Descriptions, Embedder, unit_rows


class FusionEmbedder(Embedder):
    """An ``inner`` embedder whose outputs are vectors of ``widths``: for ReID, shared with words,
    and visibilities. A width of 0 is a part that the model has switched off.
    """

    def __init__(self, inner: Embedder, widths: tuple[int, int, int]) -> None:
        self._inner = inner
        self._ends = (widths[0], widths[0] + widths[1])
        self.dimension = widths[0]
        self.batch = inner.batch
        self.device = inner.device

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The ReID vectors of `describe`. Raises ValueError as that."""
        return self.describe(crops).vectors

    @property
    def has_words(self) -> bool:
        """Whether `describe` gives text vectors."""
        return self._ends[1] > self._ends[0]

    def describe(self, crops: list[NDArray[np.uint8]]) -> Descriptions:
        """All that the network says about crops. Raises ValueError as `Embedder.embed`."""
        vectors, texts, seen = np.split(self._inner.outputs(crops), self._ends, axis=1)
        return Descriptions(
            unit_rows(vectors),
            unit_rows(texts) if texts.shape[1] else None,
            np.clip(seen, 0.0, 1.0) if seen.shape[1] else None,
        )
