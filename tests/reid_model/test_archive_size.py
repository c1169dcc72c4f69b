"""An archive that would fill the memory is not opened."""

import zipfile
from pathlib import Path

import pytest
import torch

from reid_model.archive_size import check_archive_size


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
    (tmp_path / "a.pt").write_bytes(b"PK\3\4 no archive")
    check_archive_size(tmp_path / "a.pt")
