"""Copies to a device and back."""

import numpy as np
import pytest
import torch

from reid_model.torch_device import to_device, to_host


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_what_is_sent_comes_back_as_float32(device: str) -> None:
    if device != "cpu" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    sent = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)
    tensor = to_device(sent, device)
    assert (str(tensor.device), tensor.dtype) == (device, torch.uint8)
    waits = [to_host(one) for one in (tensor.half(), tensor.permute(3, 0, 1, 2), tensor + 1)]
    for wait, expected in zip(waits, (sent, sent.transpose(3, 0, 1, 2), sent + 1), strict=True):
        assert wait().dtype == np.float32
        assert np.array_equal(wait(), expected)
