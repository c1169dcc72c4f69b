"""An archive that would fill the memory is not opened."""

import zipfile
from pathlib import Path

import pytest
import torch

from reid_model.archive_size import check_archive_size, check_tensor_sizes


def test_weights_of_pytorch_are_not_compressed(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "a.pt")
    check_archive_size(tmp_path / "a.pt")


def test_an_archive_that_grows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(50_000_000))
    with pytest.raises(ValueError, match="unpacks to 50000000: expected weights"):
        check_archive_size(path)


def test_another_file_is_left_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"no archive")
    check_archive_size(tmp_path / "a.pt")


@pytest.mark.parametrize("place", ["version", "end"])
def test_an_archive_of_which_nothing_can_be_said_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(1000))
    content = bytearray(path.read_bytes())
    # A version that Python's reader refuses and that of PyTorch ignores.
    content[content.index(b"PK\1\2") + 6] = 99
    path.write_bytes(content if place == "version" else content[:-30])
    with pytest.raises(ValueError, match="its list of files cannot be read"):
        check_archive_size(path)


def test_values_that_are_not_in_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(bytes(1000))
    check_tensor_sizes(path, [torch.zeros(500, dtype=torch.float16)])
    with pytest.raises(ValueError, match="1000 bytes and its tensors 2000000000000"):
        check_tensor_sizes(path, [torch.zeros(1, dtype=torch.float16).expand(10**6, 10**6)])
