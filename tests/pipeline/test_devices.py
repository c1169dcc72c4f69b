"""Names of devices."""

import pytest
import torch

from pipeline import devices
from pipeline.devices import resolve_device
from pipeline.errors import UserError


def pretend(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 0)
    assert resolve_device("auto") == "cpu"
    pretend(monkeypatch, 1)
    assert resolve_device("auto") == "cuda:0"
    assert resolve_device("cpu") == "cpu"


def test_a_missing_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 1)
    assert resolve_device("cuda") == "cuda:0"
    assert resolve_device("cuda:0") == "cuda:0"
    with pytest.raises(UserError, match="cuda:1 is not available"):
        resolve_device("cuda:1")
    pretend(monkeypatch, 0)
    with pytest.raises(UserError, match="auto or cpu"):
        resolve_device("cuda:0")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", ""])
def test_an_unknown_device(name: str) -> None:
    with pytest.raises(UserError, match="expected auto, cpu, cuda or cuda:N"):
        resolve_device(name)
