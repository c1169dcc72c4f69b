"""Words, and words with a picture, as vectors to search with.

The gallery never depends on a query: its vectors are made when people are seen, by
`Embedder.describe`.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_model.networks.fusion import FusionModel
from reid_model.networks.sentence_text import SentenceText, sentence_tokens
from reid_model.preprocess import EmbedderSpec, normalise, resize_crops
from reid_model.training.fusion_files import WordsFit

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


class QueryEncoder:
    """The query side of FusionSegReID. Not thread-safe.

    ``text`` is a text encoder with a ``tokenizer`` file; ``calibration`` says how likely a cosine
    is one of words with the person whom they describe.
    """

    def __init__(
        self,
        model: FusionModel,
        spec: EmbedderSpec,
        text: SentenceText,
        tokenizer: Path,
        calibration: WordsFit,
    ) -> None:
        self._model = model
        self._spec = spec
        self._text = text
        self._tokenizer = tokenizer
        self.calibration = calibration

    @torch.inference_mode()
    def encode_text(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors ``(n, 256)`` float32, to compare with `Descriptions.text_vectors`."""
        if not sentences:
            return np.zeros((0, self._model.options.shared), np.float32)
        return _array(self._model.describe(*self._words(sentences)))

    @torch.inference_mode()
    def encode_both(
        self, crops: list[NDArray[np.uint8]], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """A BGR crop ``(h, w, 3)`` and a sentence each: unit vectors ``(n, 256)`` float32, to
        compare with `Descriptions.vectors`.

        Raises ValueError when there are not as many crops as sentences, and for a crop that is not
        uint8 BGR or has no pixels.
        """
        if len(crops) != len(sentences):
            raise ValueError(
                f"expected a sentence for each crop, got {len(crops)} crops and "
                f"{len(sentences)} sentences"
            )
        if not crops:
            return np.zeros((0, self._model.fused.trunk.encoder.output_dim), np.float32)
        pictures = resize_crops(crops, self._spec.height, self._spec.width)
        seen = self._model.see(torch.from_numpy(normalise(pictures, self._spec)))
        text = self._model.text_tokens(*self._words(sentences))
        return _array(self._model.query(seen, text))

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that were in none that the model learned from, in order."""
        known = set(self.calibration.known)
        return [word for word in _WORD.findall(sentence.lower()) if word not in known]

    def probability(self, cosine: float) -> float:
        """How likely words with this cosine describe the person."""
        strength = self.calibration.slope * (cosine - self.calibration.midpoint)
        return 1 / (1 + math.exp(-min(max(strength, -50.0), 50.0)))

    def _words(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        return self._text.words(sentence_tokens(self._tokenizer, sentences))


def words_of(sentences: Sequence[str]) -> tuple[str, ...]:
    """All words of some sentences, in small letters and sorted."""
    return tuple(sorted({word for one in sentences for word in _WORD.findall(one.lower())}))


def _array(vectors: Tensor) -> NDArray[np.float32]:
    return np.asarray(vectors.float().numpy(), np.float32)
