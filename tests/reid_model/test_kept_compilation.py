"""Compiled networks are kept, and nothing is trusted that is not as it was written."""

import logging
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from reid_model import kept_compilation
from reid_model.kept_compilation import compile_kept
from reid_model.openvino_runtime import import_openvino

OPTIONS = {"PERFORMANCE_HINT": "LATENCY"}


def network(factor: float) -> Any:
    """Multiplies two numbers."""
    ops = import_openvino().opset13
    numbers = ops.parameter([2], np.float32)
    return import_openvino().Model([ops.multiply(numbers, np.float32(factor))], [numbers], "times")


class Maker:
    """Makes networks that multiply by ``factor``; ``made`` counts them."""

    def __init__(self, folder: Path, factor: float = 3.0) -> None:
        self.folder, self.factor, self.made = folder, factor, 0

    def three(self, depends_on: bytes = b"weights", **options: object) -> float:
        """What the network, kept or made, makes of 1."""
        compiled = compile_kept(self._make, {**OPTIONS, **options}, depends_on, self.folder)
        return float(compiled(np.ones(2, np.float32))[0][0])

    def _make(self) -> Any:
        self.made += 1
        return network(self.factor)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "compiled")


def kept(maker: Maker) -> Path:
    """The only file of the folder."""
    (path,) = maker.folder.iterdir()
    return path


def test_the_second_time_it_is_read(maker: Maker) -> None:
    assert (maker.three(), maker.three()) == (3.0, 3.0)
    assert maker.made == 1
    # What is read is the file, not the network that is offered.
    maker.factor = 5.0
    assert maker.three() == 3.0


def test_it_is_made_again_of_another_network_and_with_other_options(maker: Maker) -> None:
    maker.three()
    maker.factor = 5.0
    assert maker.three(b"other weights") == 5.0
    assert maker.three(NUM_STREAMS=2) == 5.0
    assert maker.made == 3


@pytest.mark.parametrize("what", ["version", "processor"])
def test_it_is_made_again_by_another_openvino_and_on_another_processor(
    maker: Maker, what: str
) -> None:
    maker.three()
    if what == "version":
        with patch.object(kept_compilation, "version", lambda name: "1.0"):
            maker.three()
    else:
        with patch.object(kept_compilation, "_PROCESSOR", ("FULL_DEVICE_NAME",)):
            maker.three()
    assert maker.made == 2


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda kept: b"", id="empty"),
        pytest.param(lambda kept: kept[: len(kept) // 2], id="half"),
        pytest.param(lambda kept: kept[:-1] + bytes([kept[-1] ^ 1]), id="one bit"),
        pytest.param(lambda kept: b"\0" * len(kept), id="zeros"),
    ],
)
def test_a_damaged_one_is_made_again(
    maker: Maker, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    maker.three()
    written = kept(maker).read_bytes()
    kept(maker).write_bytes(damage(written))
    assert maker.three() == 3.0
    assert maker.made == 2
    assert f"{kept(maker)} is damaged; the network is compiled again" in caplog.text
    assert maker.three() == 3.0
    assert maker.made == 2


def test_a_foreign_file_with_a_right_digest_is_made_again(
    maker: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    maker.three()
    body = b"no network of OpenVINO"
    kept(maker).write_bytes(kept_compilation.hashlib.sha256(body).digest() + body)
    assert maker.three() == 3.0
    assert maker.made == 2
    assert "OpenVINO does not read" in caplog.text


def test_where_it_cannot_be_kept_it_is_compiled(maker: Maker) -> None:
    maker.folder.write_text("a file is in the way")
    assert (maker.three(), maker.three()) == (3.0, 3.0)
    assert maker.made == 2


def test_nothing_stays_of_one_whose_writing_failed(maker: Maker) -> None:
    with patch.object(Path, "write_bytes", side_effect=OSError(28, "No space left on device")):
        assert maker.three() == 3.0
    assert list(maker.folder.iterdir()) == []
    shutil.rmtree(maker.folder)
    assert maker.three() == 3.0
