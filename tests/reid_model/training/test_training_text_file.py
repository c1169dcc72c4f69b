"""A text encoder as a file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reid_model.training.model_files import load_text, save_text
from reid_toys import toy_text_encoder


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    text = toy_text_encoder()
    save_text(tmp_path / "text.safetensors", text, {"unseen_rank1": 0.25})
    again, figures = load_text(tmp_path / "text.safetensors")
    assert again.sizes == text.sizes
    assert figures == {"unseen_rank1": 0.25}
    tokens = torch.tensor([[49406, 320, 49407]])
    torch.testing.assert_close(again(tokens), text(tokens))
    assert [path.name for path in tmp_path.iterdir()] == ["text.safetensors"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    with pytest.raises(ValueError, match="does not exist"):
        load_text(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="is not a text encoder of fusetrack"):
        load_text(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="damaged"):
        load_text(path)
    text = toy_text_encoder()
    text.sizes["layers"] = 2
    save_text(path, text, {})
    with pytest.raises(ValueError, match="has weights that do not fit the sizes in its header"):
        load_text(path)
