"""CLIP weights from files: all formats, refused files, and the fit to each encoder."""

import os
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reid_model.networks import clip_weights
from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.clip_transformer import ClipText, ClipViT
from reid_model.networks.clip_weights import fill_image_encoder, fill_text_encoder, load_clip

State = dict[str, Tensor]


def open_clip_model(vision: dict[str, object]) -> nn.Module:
    """A small open_clip model with random weights."""
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    text = {"context_length": 9, "vocab_size": 50, "width": 16, "heads": 2, "layers": 2}
    model: nn.Module = open_clip.CLIP(12, vision, text, quick_gelu=True)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    return open_clip_model({"layers": (1, 1, 1, 1), "width": 8, "image_size": 96})


@pytest.fixture
def state(theirs: nn.Module) -> State:
    return {key: value.detach().clone() for key, value in theirs.state_dict().items()}


def image_encoder(width: int = 8) -> ClipResNet:
    return ClipResNet(width, (1, 1, 1, 1), 12, (64, 32)).eval()


def text_encoder(output_dim: int = 12) -> ClipText:
    return ClipText(output_dim, 16, 2, 2, 9, 50).eval()


class Archive(nn.Module):
    """Something that PyTorch can script, with the parameters of a state dict under their names."""

    def __init__(self, state: State) -> None:
        super().__init__()
        for key, value in state.items():
            *path, name = key.split(".")
            place: nn.Module = self
            for part in path:
                if part not in place._modules:
                    place.add_module(part, nn.Module())
                place = place.get_submodule(part)
            place.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return x


def torchscript(path: Path, state: State) -> Path:
    with warnings.catch_warnings():
        # PyTorch has deprecated the format.
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(Archive(state)).save(path)
    return path


def written(path: Path, state: State, form: str) -> Path:
    match form:
        case "bare":
            torch.save(state, path)
        case "checkpoint":
            prefixed = {f"module.{key}": value for key, value in state.items()}
            torch.save({"epoch": 3, "name": "run", "state_dict": prefixed}, path)
        case "half":
            halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            torch.save(halves, path)
        case "old":
            torch.save(state, path, _use_new_zipfile_serialization=False)
        case "safetensors":
            path = path.with_suffix(".safetensors")
            save_file(state, path)
        case "torchscript":
            torchscript(path, state)
    return path


@pytest.mark.parametrize(
    "form", ["bare", "checkpoint", "half", "old", "safetensors", "torchscript"]
)
@torch.inference_mode()
def test_every_format_gives_the_features_of_open_clip(
    theirs: nn.Module, state: State, tmp_path: Path, form: str
) -> None:
    loaded = load_clip(written(tmp_path / "clip.pt", state, form), allow=form == "torchscript")
    assert loaded.keys() == state.keys()
    assert all(v.dtype == torch.float32 for v in loaded.values() if v.is_floating_point())
    encoder, texts = image_encoder(), text_encoder()
    fill_image_encoder(encoder, loaded)
    fill_text_encoder(texts, loaded)
    tolerance = 2e-2 if form == "half" else 1e-4
    pictures = torch.randn(2, 3, 64, 32)
    x3 = encoder(pictures)[0]
    tower = theirs.visual
    expected = tower.layer3(tower.layer2(tower.layer1(tower.stem(pictures))))
    torch.testing.assert_close(x3, expected, rtol=tolerance, atol=tolerance)
    tokens = torch.randint(50, (3, 9))
    torch.testing.assert_close(
        texts(tokens), theirs.encode_text(tokens), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("without", ["num_batches_tracked", "logit_scale"])
def test_parameters_that_older_files_lack_or_add(state: State, without: str) -> None:
    fewer = {key: value for key, value in state.items() if not key.endswith(without)}
    assert len(fewer) < len(state)
    # OpenAI's files contain these as well.
    more = {key: torch.tensor(1) for key in ("input_resolution", "context_length", "vocab_size")}
    fill_image_encoder(image_encoder(), fewer | more)
    fill_text_encoder(text_encoder(), fewer | more)


def test_the_image_encoder_of_a_vit() -> None:
    theirs = open_clip_model({"layers": 2, "width": 64, "patch_size": 8, "image_size": 32})
    encoder = ClipViT(64, 2, 1, 8, 8, 12, (32, 32), cameras=3)
    before = encoder.camera_embedding
    assert before is not None
    cameras = before.detach().clone()
    fill_image_encoder(encoder, theirs.state_dict())
    pictures = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(encoder(pictures)[2], theirs.visual(pictures), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(encoder.camera_embedding, cameras)


def test_the_official_archive_needs_no_permission(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = torchscript(tmp_path / "RN50.pt", state)
    with pytest.raises(ValueError, match=r"RN50\.pt is a TorchScript archive, which contains code"):
        load_clip(path)
    monkeypatch.setattr(clip_weights, "OFFICIAL_RN50", clip_weights._sha256(path))
    assert load_clip(path).keys() == state.keys()


class Evil:
    """A pickle that would make a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("form", ["pickle", "zip"])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, form: str) -> None:
    path, target = tmp_path / "clip.pt", tmp_path / "made"
    if form == "zip":
        torch.save({"visual.proj": Evil(target)}, path)
    else:
        path.write_bytes(pickle.dumps(Evil(target), protocol=2))
    with pytest.raises(ValueError, match=r"clip\.pt contains more than tensors"):
        load_clip(path, allow=True)
    assert not target.exists()


@pytest.mark.parametrize("form", ["bare", "old", "safetensors", "torchscript"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(state: State, tmp_path: Path, form: str, share: float) -> None:
    path = written(tmp_path / "clip.pt", state, form)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"may be damaged or incomplete|or is not a checkpoint"):
        load_clip(path, allow=True)


@pytest.mark.parametrize("name", ["clip.pt", "clip.safetensors"])
def test_a_text_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match=name):
        load_clip(path)


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"epoch": 3}, torch.zeros(2)])
def test_a_file_that_is_not_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "clip.pt")
    with pytest.raises(ValueError, match=r"clip\.pt is not a state dict"):
        load_clip(tmp_path / "clip.pt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"RN50\.pt does not exist"):
        load_clip(tmp_path / "RN50.pt")


def copied(encoder: nn.Module) -> State:
    return {key: value.clone() for key, value in encoder.state_dict().items()}


def assert_unchanged(encoder: nn.Module, before: State) -> None:
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


def test_another_width_is_refused_with_the_shapes(state: State) -> None:
    encoder = image_encoder(width=16)
    before = copied(encoder)
    with pytest.raises(ValueError, match="do not fit the image encoder") as refused:
        fill_image_encoder(encoder, state)
    message = str(refused.value)
    shapes = [k for k, v in encoder.state_dict().items() if v.ndim and f"visual.{k}" in state]
    assert f"{len(shapes) - 1} of another shape (attnpool.c_proj.weight (12, 256) for" in message
    assert "(12, 512)" in message
    assert "missing" not in message
    assert "\n" not in message
    assert_unchanged(encoder, before)


def test_missing_and_unknown_parameters_are_named_and_counted(state: State) -> None:
    encoder = image_encoder()
    before = copied(encoder)
    del state["visual.conv1.weight"]
    state |= {f"visual.extra{i}": torch.zeros(1) for i in range(5)}
    with pytest.raises(ValueError, match=r"1 missing \(conv1.weight\); 5 unknown") as refused:
        fill_image_encoder(encoder, state)
    assert "(extra0, extra1, extra2, ...)" in str(refused.value)
    assert_unchanged(encoder, before)


def test_another_architecture_is_refused(state: State) -> None:
    with pytest.raises(ValueError, match=r"missing .*class_embedding.*unknown .*attnpool"):
        fill_image_encoder(ClipViT(64, 2, 1, 8, 8, 12, (32, 32)), state)


def test_an_image_tower_alone_is_refused(state: State) -> None:
    bare = {key.removeprefix("visual."): value for key, value in state.items()}
    needed = sum(k[-7:] != "tracked" for k in image_encoder().state_dict())
    with pytest.raises(ValueError, match=rf"{needed} missing \(attnpool"):
        fill_image_encoder(image_encoder(), bare)


def test_a_text_tower_of_another_image_encoder_is_refused(state: State) -> None:
    encoder = text_encoder(output_dim=20)
    before = copied(encoder)
    shapes = r"1 of another shape \(text_projection \(16, 12\) for \(16, 20\)\)"
    with pytest.raises(ValueError, match=rf"do not fit the text encoder: {shapes}"):
        fill_text_encoder(encoder, state)
    assert_unchanged(encoder, before)
