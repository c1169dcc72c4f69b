"""Words as vectors to search with.

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
        text: SentenceText,
        tokenizer: Path,
        calibration: WordsFit,
    ) -> None:
        self._model = model
        self._text = text
        self._tokenizer = tokenizer
        self.calibration = calibration

    @torch.inference_mode()
    def encode_text(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors ``(n, 256)`` float32, to compare with `Descriptions.text_vectors`."""
        if not sentences:
            return np.zeros((0, self._model.options.shared), np.float32)
        states, present = self._text.words(sentence_tokens(self._tokenizer, sentences))
        return _array(self._model.describe(states, present))

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that were in none that the model learned from, in order."""
        known = set(self.calibration.known)
        return [word for word in _WORD.findall(sentence.lower()) if word not in known]

    def probability(self, cosine: float) -> float:
        """How likely words with this cosine describe the person."""
        strength = self.calibration.slope * (cosine - self.calibration.midpoint)
        return 1 / (1 + math.exp(-min(max(strength, -50.0), 50.0)))


def words_of(sentences: Sequence[str]) -> tuple[str, ...]:
    """All words of some sentences, in small letters and sorted."""
    return tuple(sorted({word for one in sentences for word in _WORD.findall(one.lower())}))


def _array(vectors: Tensor) -> NDArray[np.float32]:
    return np.asarray(vectors.float().numpy(), np.float32)
