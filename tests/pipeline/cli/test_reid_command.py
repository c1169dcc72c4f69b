"""`fusetrack reid` on a tiny set."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import typer
from safetensors.torch import save_file

from builders_keras import keras_weights, write_keras
from command_line import Outcome
from pipeline.cli import main as cli
from pipeline.cli import reid as cli_reid
from pipeline.reid import training
from reid_model.data.folder import read_folder
from reid_model.training.build import build_encoder, new_model
from reid_model.training.model_files import save_model
from reid_toys import toy_model, toy_text_encoder, write_toy_set

RECIPE = """
data: folder
precision: float32
model: {width: 4, layers: [1, 1, 1, 1], output_dim: 16, image_size: [64, 32], mscsa_modules: 1,
        texts: false, text_guidance: false}
stage2: {epochs: 3, identities: 6, images: 2, warm_up_epochs: 1}
"""


@pytest.fixture
def fused(fusetrack: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run `fusetrack reid ARGUMENTS`."""
    if not any(group.name == "reid" for group in cli.app.registered_groups):
        app = typer.Typer()
        app.add_typer(cli_reid.reid, name="reid")
        monkeypatch.setattr(cli, "app", app)
    return lambda *arguments: fusetrack("reid", *arguments)


Command = Callable[..., Outcome]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toys") / "toys")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, new_model(toy_model(), 6, build_encoder(toy_model())).deploy(), toy_model())
    return path


def rows(out: str) -> dict[str, list[str]]:
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in out.splitlines()
        if line.startswith("│")
    ]
    return {row[0]: row[1:] for row in cells}


def test_a_training_starts_from_another(
    fused: Command, toys: Path, recipe: Path, tmp_path: Path
) -> None:
    data = ("--data", toys, "--workers", 0)
    assert fused("train", recipe, *data, "--out", tmp_path / "one").code == 0
    outcome = fused("train", recipe, *data, "--out", tmp_path / "two", "--start", tmp_path / "one")
    assert outcome.code == 0
    curves = [
        json.loads((tmp_path / name / "curves.jsonl").read_text().splitlines()[0])
        for name in ("one", "two")
    ]
    assert curves[1]["identity"] < curves[0]["identity"]
    outcome = fused("train", recipe, *data, "--out", tmp_path / "three", "--start", tmp_path)
    assert outcome.code == 2
    assert "holds no training to start from" in outcome.err


def test_a_training_starts_from_imagenet(
    fused: Command, toys: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Random numbers, at a sixteenth of the real width.
    write_keras(tmp_path, keras_weights(4))
    path = tmp_path / "model.json"
    monkeypatch.setattr(training, "weights_path", lambda name, kind: path)
    monkeypatch.setattr(training, "_STEM_BATCHES", 2)
    out = tmp_path / "out"
    train = ("train", recipe, "--data", toys, "--out", out, "--workers", 0, "--imagenet")
    assert fused(*train).code == 0
    both = fused(*train, "--clip", tmp_path / "clip.pt")
    assert both.code == 2
    assert "expected not both" in both.err


def test_summary_counts_the_parts(fused: Command) -> None:
    outcome = fused("summary")
    assert outcome.code == 0
    found = rows(outcome.out)
    assert found["MSCSA 1"] == ["63,264", ""]
    assert found["MSCSA 2"] == ["594,048", ""]
    assert found["MSCSA 3"] == ["2,367,744", ""]
    assert found["text guidance"] == ["3,949,824", "yes"]
    assert found["prompts"] == [f"{751 * 2048:,}", "yes"]
    assert found["classifiers"] == [f"{751 * 3072:,}", "yes"]
    assert found["deployed embedder"] == ["41,503,744", ""]


def test_summary_of_a_narrower_model(fused: Command) -> None:
    found = rows(fused("summary", "--width", 32, "--mscsa", 0, "--classes", 10).out)
    assert found["deployed embedder"] == ["10,225,840", ""]
    assert not any(name.startswith("MSCSA") for name in found)
    assert found["prompts"] == ["20,480", "yes"]
    outcome = fused("summary", "--width", 33)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "width must be even" in outcome.err


def test_a_model_is_trained_evaluated_and_used(
    fused: Command, toys: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = fused("train", recipe, "--data", toys, "--out", out, "--workers", 0)
    assert (outcome.code, outcome.out) == (0, f"{out / 'model.safetensors'}\n")
    assert "stage 2, epoch 3 of 3: loss " in outcome.err
    assert "measuring: 18 pictures" in outcome.err
    again = fused("train", recipe, "--data", toys, "--out", out, "--workers", 0)
    assert again.code == 2
    assert "holds a training already" in again.err
    outcome = fused(
        "evaluate", out / "model.safetensors", "--data", toys, "--set", "folder", "--json"
    )
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert (found["queries"], found["reranked"]) == (6, False)
    assert 0 < found["mean_average_precision"] <= 1


def test_evaluate_prints_a_table_and_reranks(fused: Command, toys: Path, model: Path) -> None:
    outcome = fused("evaluate", model, "--data", toys, "--set", "folder")
    assert outcome.code == 0
    assert rows(outcome.out)[str(model)][-1] == "6"
    outcome = fused("evaluate", model, "--data", toys, "--set", "folder", "--rerank", "--json")
    assert json.loads(outcome.out)["reranked"] is True


def test_embed_writes_a_vector_for_each_picture(
    fused: Command, toys: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "vectors.parquet"
    (toys / "notes.txt").write_text("no picture")
    outcome = fused("embed", model, toys / "train", "--out", out)
    assert (outcome.code, outcome.out) == (0, f"{out}\n")
    table = pq.read_table(out)
    assert str(table.schema.field("embedding").type) == "list<element: float>"
    expected = sorted(
        image.path.relative_to(toys.resolve() / "train").as_posix()
        for image in read_folder(toys.resolve()).train
    )
    assert table["path"].to_pylist() == expected
    lengths = np.linalg.norm(np.array(table["embedding"].to_pylist()), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_a_broken_picture_is_named_and_nothing_is_written(
    fused: Command, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    outcome = fused("embed", model, folder, "--out", tmp_path / "v.parquet")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"no pictures in {folder}" in outcome.err
    (folder / "broken.jpg").write_bytes(b"no picture")
    outcome = fused("embed", model, folder, "--out", tmp_path / "v.parquet")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "broken.jpg cannot be read as a picture" in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures"]


def test_bad_input_is_one_line(
    fused: Command, toys: Path, recipe: Path, model: Path, tmp_path: Path
) -> None:
    def said(*arguments: object) -> str:
        outcome = fused(*arguments)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome
        return outcome.err

    out = tmp_path / "out"
    train = ("--data", toys, "--out", out)
    assert "Did you mean 'market1501'" in said("train", "market", *train)
    assert "give a local file with --clip" in said("train", _with_texts(tmp_path), *train)
    missing = said("train", "msmt17", "--data", tmp_path / "gone", "--out", out)
    assert "MSMT17" in missing
    assert "Source: " in missing
    assert "clip.pt does not exist" in said("train", recipe, *train, "--clip", tmp_path / "clip.pt")
    assert "unknown device 'tpu'" in said("train", recipe, *train, "--device", "tpu")
    assert "Did you mean 'msmt17'" in said("evaluate", model, "--data", toys, "--set", "msmt")
    assert "has no queries and gallery" in said(
        "evaluate", model, "--data", toys / "train", "--set", "folder"
    )
    nothing = tmp_path / "nothing.safetensors"
    assert "no such weights file" in said("evaluate", nothing, "--data", toys, "--set", "folder")
    assert "unknown ReID model 'nobody'" in said("embed", "nobody", toys, "--out", out)
    (tmp_path / "file").touch()
    assert "file" in said("train", recipe, "--data", toys, "--out", tmp_path / "file" / "out")


def _with_texts(folder: Path) -> Path:
    path = folder / "texts.yaml"
    path.write_text("data: folder\n")
    return path


def test_a_training_starts_from_clip_weights(
    fused: Command, toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The text encoder's own size is fixed, and takes minutes here.
    monkeypatch.setattr("pipeline.reid.training.ClipText", toy_text_encoder)
    visual = build_encoder(toy_model()).state_dict()
    clip = {f"visual.{name}": value for name, value in visual.items()}
    save_file({**clip, **toy_text_encoder().state_dict()}, tmp_path / "clip.safetensors")
    recipe = tmp_path / "texts.yaml"
    recipe.write_text(
        RECIPE.replace("texts: false, text_guidance: false", "texts: true")
        + "stage1: {epochs: 2, batch: 24}\n"
    )
    arguments = ("--data", toys, "--out", tmp_path / "out", "--workers", 0)
    outcome = fused("train", recipe, *arguments, "--clip", tmp_path / "clip.safetensors")
    assert outcome.code == 0
    assert "stage 1, epoch 2 of 2: loss " in outcome.err
    other = tmp_path / "other.safetensors"
    save_file({**clip, "visual.more": torch.zeros(1)}, other)
    outcome = fused("train", recipe, *arguments, "--clip", other)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "do not fit the image encoder: 1 unknown (more)" in outcome.err


def test_a_signal_stops_a_training_and_resume_continues(
    fused: Command, toys: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = ("train", recipe, "--data", toys, "--workers", 0, "--out")
    fused(*train, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(cli_reid, "_line", lambda step: (os.kill(os.getpid(), signal.SIGINT), "")[1])
        outcome = fused(*train, tmp_path / "out")
    assert outcome.code == 128 + signal.SIGINT
    assert f"stopped; continue with --resume --out {tmp_path / 'out'}" in outcome.err
    outcome = fused(*train, tmp_path / "out", "--resume")
    assert outcome.code == 0
    assert "epoch 1 of 3" not in outcome.err
    assert "epoch 2 of 3" in outcome.err
    names = ("whole/model.safetensors", "out/model.safetensors")
    assert len({(tmp_path / name).read_bytes() for name in names}) == 1


@pytest.mark.slow
def test_sigterm_to_the_group_of_a_training_saves_a_checkpoint(
    toys: Path, recipe: Path, tmp_path: Path
) -> None:
    """As a batch system or a terminal that closes sends it: also to the processes that load."""
    recipe.write_text(RECIPE.replace("epochs: 3", "epochs: 3000"))
    train = ("reid", "train", recipe, "--data", toys, "--out", tmp_path / "out", "--workers", 2)
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *map(str, train)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "epoch 2 of" in line:
                break
        os.killpg(process.pid, signal.SIGTERM)
        said = process.stderr.read()
        assert process.wait() == 128 + signal.SIGTERM, said
    assert "stopped; continue with --resume" in said
    assert "Traceback" not in said
    assert list((tmp_path / "out" / "checkpoints").iterdir())


@pytest.mark.parametrize("view", ["plain", "augmented"])
def test_a_teacher_of_the_manifest_or_a_path_is_asked(
    fused: Command, toys: Path, model: Path, tmp_path: Path, view: str
) -> None:
    path = tmp_path / "taught.yaml"
    path.write_text(f"{RECIPE}\ndistillation: {{teachers: ['{model}'], teacher_view: {view}}}\n")
    outcome = fused("train", path, "--data", toys, "--out", tmp_path / "out", "--workers", 0)
    assert outcome.code == 0
    curves = (tmp_path / "out" / "curves.jsonl").read_text().splitlines()
    assert all(json.loads(line)["distillation"] > 0 for line in curves)


def test_explain_draws_a_sheet(fused: Command, toys: Path, model: Path, tmp_path: Path) -> None:
    images = sorted((toys / "query").rglob("*.png"))[:2]
    out = tmp_path / "sheet.png"
    options = ("--out", out, "--beside", model, "--to", images[1], "--stage", 3)
    outcome = fused("explain", model, *images, *options)
    assert (outcome.code, outcome.out) == (0, f"{out}\n")
    assert out.read_bytes().startswith(b"\x89PNG")
    outcome = fused("explain", model, tmp_path / "gone.jpg", "--out", tmp_path / "no.png")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "gone.jpg does not exist" in outcome.err
    outcome = fused("explain", model, *images, "--out", tmp_path / "no.png", "--stage", 2)
    assert (outcome.code, outcome.err) == (2, "fusetrack: --stage must be 3 or 4, got 2\n")
    assert not (tmp_path / "no.png").exists()


def test_export_prints_the_smallest_cosine(fused: Command, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.xml"
    outcome = fused("export", model, "--format", "openvino", "--out", out)
    assert (outcome.code, outcome.out) == (0, f"{out}\n")
    said, cosine = outcome.err.rsplit(maxsplit=1)
    assert said == "openvino: the smallest cosine to PyTorch's embeddings is"
    assert 0.999 <= float(cosine) < 1.001
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.bin", "net.xml", "net.xml.yaml"]
    outcome = fused("export", model, "--format", "onxx", "--out", out)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "Did you mean 'onnx'" in outcome.err
