import pickle
from pathlib import Path

import pytest
import torch

from reid_model.training.checkpoint import load_checkpoint, save_checkpoint


def test_the_last_two_are_kept_and_the_latest_is_read(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    for number in (8, 9, 10):
        save_checkpoint(tmp_path, number, {"number": number, "values": torch.arange(number)})
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["checkpoint-000000000009.pt", "checkpoint-000000000010.pt"]
    content = load_checkpoint(tmp_path)
    assert content is not None
    assert content["number"] == 10
    assert torch.equal(content["values"], torch.arange(10))


def test_an_unfinished_file_is_ignored_and_deleted(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"number": 1})
    (tmp_path / "checkpoint-000000000002.unfinished").write_bytes(b"half")
    content = load_checkpoint(tmp_path)
    assert content is not None
    assert content["number"] == 1
    save_checkpoint(tmp_path, 2, {"number": 2})
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: bytes | None) -> None:
    path = save_checkpoint(tmp_path, 1, {"values": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:2000] if damage is None else damage)
    with pytest.raises(ValueError, match=r"checkpoint-000000000001\.pt is damaged"):
        load_checkpoint(tmp_path)


class Code:
    """What a pickle may do when it is opened."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("1 / 0",))


def test_code_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-000000000001.pt").write_bytes(pickle.dumps(Code(), protocol=2))
    with pytest.raises(ValueError, match="is damaged or not a checkpoint"):
        load_checkpoint(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "checkpoint-000000000001.pt")
    with pytest.raises(ValueError, match="not a checkpoint of this version"):
        load_checkpoint(tmp_path)
