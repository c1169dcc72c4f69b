from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reid_model.training.teacher_cache import Answers

FIRST = [torch.zeros(2, 3), torch.ones(2, 5)]  # of two teachers
SECOND = [torch.full((2, 3), 2.0), torch.full((2, 5), 3.0)]


def says(answer: list[Tensor]) -> Callable[[], list[Tensor]]:
    return lambda: answer


def nobody() -> list[Tensor]:
    raise AssertionError("was asked again")


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_who_has_answered_a_whole_epoch_is_not_asked_again(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers", 1, batches=2)
    assert same(answers.to(0, says(FIRST)), FIRST)
    assert same(answers.to(1, says(SECOND)), SECOND)
    again = Answers(tmp_path / "answers", 1, batches=2)
    assert same(again.to(0, nobody), FIRST)
    assert same(again.to(1, nobody), SECOND)
    other_epoch = Answers(tmp_path / "answers", 2, batches=2)
    assert same(other_epoch.to(0, says(SECOND)), SECOND)


@pytest.mark.parametrize("answered", [(0,), (1,)], ids=["stopped", "resumed in the middle"])
def test_half_an_epoch_is_not_kept(tmp_path: Path, answered: tuple[int, ...]) -> None:
    answers = Answers(tmp_path, 1, batches=2)
    for step in answered:
        answers.to(step, says(FIRST))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    answers = Answers(tmp_path, 1, batches=1)
    answers.to(0, says(FIRST))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"epoch-00001\.safetensors is damaged"):
        Answers(tmp_path, 1, batches=1)
