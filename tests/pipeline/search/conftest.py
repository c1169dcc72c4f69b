"""Networks that see colours, in place of those of a run."""

import pytest

from builders import WORDLESS
from fakes import ColourDetector, ColourEmbedder
from pipeline.reid.embedding import model_hash
from pipeline.search.networks import SearchModels


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that finds everything that is not black, and an embedder of colours."""
    monkeypatch.setattr(SearchModels, "_detector", ColourDetector())
    monkeypatch.setattr(SearchModels, "_embedder", ColourEmbedder())


@pytest.fixture(scope="session")
def model() -> str:
    """The hash of the network of the runs of `make_run`."""
    return model_hash(WORDLESS)
