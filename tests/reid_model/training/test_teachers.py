from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reid_model.training.teachers import TeacherCache

FIRST = [torch.zeros(2, 3), torch.ones(2, 5)]  # of two teachers
SECOND = [torch.full((2, 3), 2.0), torch.full((2, 5), 3.0)]


def giving(embeddings: list[Tensor]) -> Callable[[], list[Tensor]]:
    return lambda: embeddings


def not_called() -> list[Tensor]:
    raise AssertionError("was computed again")


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_embeddings_of_a_whole_epoch_are_not_computed_again(tmp_path: Path) -> None:
    cache = TeacherCache(tmp_path / "answers", 1, batches=2)
    assert same(cache.embeddings(0, giving(FIRST)), FIRST)
    assert same(cache.embeddings(1, giving(SECOND)), SECOND)
    again = TeacherCache(tmp_path / "answers", 1, batches=2)
    assert same(again.embeddings(0, not_called), FIRST)
    assert same(again.embeddings(1, not_called), SECOND)
    other_epoch = TeacherCache(tmp_path / "answers", 2, batches=2)
    assert same(other_epoch.embeddings(0, giving(SECOND)), SECOND)


@pytest.mark.parametrize("steps", [(0,), (1,)], ids=["stopped", "resumed in the middle"])
def test_half_an_epoch_is_not_kept(tmp_path: Path, steps: tuple[int, ...]) -> None:
    cache = TeacherCache(tmp_path, 1, batches=2)
    for step in steps:
        cache.embeddings(step, giving(FIRST))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    cache = TeacherCache(tmp_path, 1, batches=1)
    cache.embeddings(0, giving(FIRST))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"epoch-00001\.safetensors is damaged"):
        TeacherCache(tmp_path, 1, batches=1)
