"""The networks of a run for searching: opened when they are first needed, and kept."""

import threading
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.schema import SiteConfig
from pipeline.devices import resolve_device
from pipeline.errors import UserError
from pipeline.reid.embedding import model_hash, open_embedder, site_calibration
from pipeline.search.declined import check_allowed
from pipeline.search.likeness import PictureLikeness, WordsLikeness
from pipeline.search.query_picture import Image, decoded, person_in

if TYPE_CHECKING:
    from pipeline.detector import Detector
    from reid_model.embedder import Descriptions, Embedder
    from reid_model.query_encoder import QueryEncoder

#: A longer description is not read: networks read some fifty words.
MOST_WORDS = 60


class SearchModels:
    """Detector, embedder and words of the configuration of a run. Thread-safe.

    With ``model`` another ReID network than that of the configuration.
    """

    def __init__(self, config: SiteConfig, model: str | None = None) -> None:
        reid = config.reid.model_copy(update={"model": model}) if model else config.reid
        self._config = config.model_copy(update={"reid": reid})
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The name or path of the ReID network."""
        return self._config.reid.model

    @cached_property
    def hash(self) -> str:
        """The ReID network by its weights. Raises UserError when they are not there."""
        return model_hash(self.name)

    def picture(self, data: bytes, name: str, number: int | None) -> PictureLikeness:
        """What the person of a picture file looks like, see `person_in`.

        Raises UserError as `decoded` and `person_in`, and when a network cannot be opened.
        """
        image = decoded(data, name)
        with self._lock:
            people = self._detector.detect([image])[0] if number != 0 else None
            crop = image if people is None else person_in(image, people, name, number)
            vector = self._embedder.embed([np.ascontiguousarray(crop)])[0]
        return PictureLikeness(vector, site_calibration(self._config))

    def embed(self, crops: list[Image]) -> "Descriptions":
        """All that the network says about BGR crops."""
        with self._lock:
            return self._embedder.describe(crops)

    def words(self, text: str) -> tuple[WordsLikeness, list[str]]:
        """What a description says, and its words that the network does not know.

        Raises UserError for one that is empty, too long, declined, or in another language, and
        when the network knows no words.
        """
        check_text(text)
        with self._lock:
            words = self._words
            unknown = words.unknown_words(text)
            if len(unknown) >= len(text.split()):
                raise UserError(
                    f"the network knows none of the words {', '.join(unknown[:9])}: expected a "
                    'description in English, such as "red jacket, dark trousers"'
                )
            vector = words.encode_text([text])[0]
            fit = words.calibration
        return WordsLikeness(vector, fit.slope, fit.midpoint), unknown

    @cached_property
    def _detector(self) -> "Detector":
        from pipeline.detector import Detector

        return Detector(self._config.detector, resolve_device(self._config.device))

    @cached_property
    def _embedder(self) -> "Embedder":
        return open_embedder(
            self._config.reid.model_copy(update={"batch": 8}), resolve_device(self._config.device)
        )

    @cached_property
    def _words(self) -> "QueryEncoder":
        # Imported here because its PyTorch takes seconds, and few searches have words.
        from pipeline.reid.words import open_text_encoder

        return open_text_encoder(self.name)


def check_text(text: str) -> None:
    """Raise UserError for a description that is empty, too long, or declined."""
    count = len(text.split())
    if not any(letter.isalpha() for letter in text):
        raise UserError(
            'the description is empty: expected what a person wears, such as "red jacket, dark '
            'trousers"'
        )
    if count > MOST_WORDS or len(text) > 20 * MOST_WORDS:
        raise UserError(
            f"the description has {count:,} words: expected at most {MOST_WORDS}. Say what matters "
            "most"
        )
    check_allowed(text)
