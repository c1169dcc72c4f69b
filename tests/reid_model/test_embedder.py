"""Embedders: a deep-sort checkpoint made here, a tiny OpenVINO network, and the real ones."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reid_model.embedder import (
    Embedder,
    EmbedderSpec,
    batch_sizes,
    load_embedder,
    torch_embedder,
)
from reid_model.networks.deep_sort_net import DeepSortNet, load_deep_sort
from reid_model.openvino_runtime import import_openvino
from reid_model.preprocess import normalise, resize_crops

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEEP_SORT = EmbedderSpec("deep_sort", 128, 64, "rgb", 1 / 255, MEAN, STD)
TINY = EmbedderSpec("openvino", 2, 2, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deep-sort checkpoint with random weights and the classifier that real ones have."""
    torch.manual_seed(0)
    state = DeepSortNet().state_dict()
    state["classifier.0.weight"] = torch.zeros(256, 512)
    path = tmp_path_factory.mktemp("weights") / "net.t7"
    torch.save({"net_dict": state, "acc": 0.5, "epoch": 1}, path)
    return path


def some_crops(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    sizes = random.integers(20, 90, (count, 2))
    return [random.integers(0, 256, (height, width, 3), np.uint8) for height, width in sizes]


def tiny_network(folder: Path) -> Path:
    """The mean of each channel of pictures of 2 x 2: the embedding of a picture is its colour."""
    openvino = import_openvino()
    pixels = openvino.opset13.parameter([1, 3, 2, 2], np.float32)
    mean = openvino.opset13.reduce_mean(pixels, np.array([2, 3]), keep_dims=False)
    path = folder / "tiny.xml"
    openvino.save_model(openvino.Model([mean], [pixels]), path)
    return path


def test_openvino_agrees_with_torch(checkpoint: Path) -> None:
    crops = some_crops(5)
    embedder = load_embedder(checkpoint, DEEP_SORT, "cpu", batch=8)
    pixels = torch.from_numpy(normalise(resize_crops(crops, 128, 64), DEEP_SORT))
    with torch.inference_mode():
        reference = torch.nn.functional.normalize(load_deep_sort(checkpoint)(pixels)).numpy()
    found = embedder.embed(crops)
    assert found.dtype == np.float32
    assert (embedder.dimension, found.shape, embedder.device) == (512, (5, 512), "cpu")
    assert (found * reference).sum(axis=1).min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    # The random network must tell the crops apart, or the comparison would prove nothing.
    assert (found[0] * found[1:]).sum(axis=1).max() < 0.9999


def test_order_and_values_do_not_depend_on_the_batch(checkpoint: Path) -> None:
    crops = some_crops(5)
    whole = load_embedder(checkpoint, DEEP_SORT, "cpu", batch=8).embed(crops)
    parts = load_embedder(checkpoint, DEEP_SORT, "cpu", batch=2)
    np.testing.assert_array_equal(parts.embed(crops), whole)
    np.testing.assert_array_equal(parts.embed(crops[::-1]), whole[::-1])


def test_colours_are_read_in_the_order_of_the_network(tmp_path: Path) -> None:
    bgr = [(250, 120, 10), (0, 0, 90)]
    crops = [np.full((4, 4, 3), colour, np.uint8) for colour in bgr]
    spec = EmbedderSpec("openvino", 2, 2, "rgb", 0.1, (5.0, 2.0, 1.0), (2.0, 4.0, 5.0))
    found = load_embedder(tiny_network(tmp_path), spec, "cpu").embed(crops)
    for vector, (blue, green, red) in zip(found, bgr, strict=True):
        values = np.array([(red / 10 - 5) / 2, (green / 10 - 2) / 4, (blue / 10 - 1) / 5])
        np.testing.assert_allclose(vector, values / np.linalg.norm(values), atol=1e-2)


class Counting:
    """A network that returns the mean colour, with memory for ``most`` pictures."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sizes: list[int] = []

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        if len(pictures) > self.most:
            raise MemoryError
        self.sizes.append(len(pictures))
        vectors: np.ndarray = pictures.mean(axis=(1, 2), dtype=np.float32)
        return vectors


def test_a_batch_beyond_memory_is_split() -> None:
    network = Counting(most=3)
    embedder = Embedder(network, TINY, "cpu", batch=8)
    crops = some_crops(9)
    expected = Embedder(Counting(most=9), TINY, "cpu", batch=9).embed(crops)
    # The size is found at the start; a batch that failed is not tried again.
    assert (embedder.batch, network.sizes) == (2, [2])
    np.testing.assert_array_equal(embedder.embed(crops), expected)
    assert network.sizes == [2, 2, 2, 2, 2, 1]
    network.most = 1
    np.testing.assert_array_equal(embedder.embed(crops[:2]), expected[:2])
    network.most = 0
    with pytest.raises(MemoryError):
        embedder.embed(crops[:1])


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(1, [1]), (2, [1, 2]), (5, [1, 2, 3, 4, 5]), (16, [1, 2, 3, 4, 6, 8, 12, 16])],
)
def test_batches_have_few_sizes(most: int, sizes: list[int]) -> None:
    assert batch_sizes(most) == sizes


@pytest.mark.parametrize(
    "said", ["CUDA out of memory. Tried to", "DefaultCPUAllocator: can't allocate memory"]
)
def test_a_network_that_runs_out_of_memory_gets_smaller_batches(said: str) -> None:
    class Greedy(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if len(pixels) > 2:
                raise RuntimeError(said)
            return pixels.mean(dim=(2, 3))

    embedder = torch_embedder(Greedy(), TINY, "cpu", batch=8)
    assert embedder.embed(some_crops(5)).shape == (5, 3)
    assert embedder.batch == 2


def test_a_network_of_nan_is_refused(tmp_path: Path) -> None:
    state = DeepSortNet().state_dict()
    state["conv.0.weight"][0, 0] = torch.nan
    torch.save({"net_dict": state}, tmp_path / "nan.t7")
    with pytest.raises(ValueError, match="NaN or infinite"):
        load_embedder(tmp_path / "nan.t7", DEEP_SORT, "cpu")

    def sometimes(pictures: np.ndarray) -> np.ndarray:
        return np.where(pictures.max() > 200, np.inf, 1.0) * np.ones((len(pictures), 3), np.float32)

    embedder = Embedder(sometimes, TINY, "cpu", batch=2)
    assert embedder.embed([np.full((4, 4, 3), 9, np.uint8)]).shape == (1, 3)
    with pytest.raises(ValueError, match="NaN or infinite"):
        embedder.embed([np.full((4, 4, 3), 255, np.uint8)])


@pytest.mark.parametrize("end", [0, 10, 3000])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, checkpoint: Path, end: int) -> None:
    (tmp_path / "cut.t7").write_bytes(checkpoint.read_bytes()[:end])
    with pytest.raises(ValueError, match="cut"):
        load_embedder(tmp_path / "cut.t7", DEEP_SORT, "cpu")


def test_a_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    openvino = import_openvino()
    ops = openvino.opset13
    numbers = ops.parameter([1, 7], np.float32)
    product = ops.matmul(numbers, np.ones((7, 3), np.float32), False, False)
    path = tmp_path / "flat.xml"
    openvino.save_model(openvino.Model([product], [numbers]), path)
    with pytest.raises(ValueError, match="does not take pictures of 2x2"):
        load_embedder(path, TINY, "cpu")


def test_no_crops(checkpoint: Path) -> None:
    assert load_embedder(checkpoint, DEEP_SORT, "cpu").embed([]).shape == (0, 512)


def test_an_openvino_file_made_for_one_picture_takes_many(tmp_path: Path) -> None:
    embedder = load_embedder(tiny_network(tmp_path), TINY, "cpu", batch=2)
    colours = [(255, 0, 0), (0, 9, 0), (0, 3, 4), (0, 0, 0)]
    crops = [np.full((5, 7, 3), colour, np.uint8) for colour in colours]
    expected = [(1, 0, 0), (0, 1, 0), (0, 0.6, 0.8), (0, 0, 0)]
    np.testing.assert_allclose(embedder.embed(crops), expected, atol=1e-2)
    assert embedder.dimension == 3


def test_files_that_are_not_networks(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        load_embedder(tmp_path / "gone.t7", DEEP_SORT, "cpu")
    for name, spec in (("words.t7", DEEP_SORT), ("words.xml", TINY)):
        (tmp_path / name).write_text("not a network")
        with pytest.raises(ValueError, match=f"{name}"):
            load_embedder(tmp_path / name, spec, "cpu")
    torch.save({"weights": 1}, tmp_path / "other.t7")
    with pytest.raises(ValueError, match="not a deep-sort checkpoint"):
        load_embedder(tmp_path / "other.t7", DEEP_SORT, "cpu")
    with pytest.raises(ValueError, match="at least 1"):
        load_embedder(checkpoint, DEEP_SORT, "cpu", batch=0)


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


def test_a_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"net_dict": _Payload()}, tmp_path / "evil.t7")
    with pytest.raises(ValueError, match="more than tensors"):
        load_embedder(tmp_path / "evil.t7", DEEP_SORT, "cpu")
    assert not (tmp_path / "unpickled").exists()


def rank_1(vectors: np.ndarray, people: np.ndarray, query: np.ndarray) -> float:
    best = (vectors[query] @ vectors[~query].T).argmax(axis=1)
    return float((people[~query][best] == people[query]).mean())


@pytest.mark.skipif("FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set")
@pytest.mark.parametrize(
    ("name", "spec", "least"),
    [
        (
            "person-reidentification-retail-0286.FP16.xml",
            EmbedderSpec("openvino", 256, 128, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
            0.95,
        ),
        (
            "osnet_x0_25_msmt17.onnx",
            EmbedderSpec("onnx", 256, 128, "rgb", 1 / 255, MEAN, STD),
            0.74,
        ),
    ],
)
def test_real_networks_on_real_people(name: str, spec: EmbedderSpec, least: float) -> None:
    """Rank 1 between the cameras of CUHK03's first 30 validation identities."""
    data = Path(os.environ["FUSETRACK_DATA"])
    crops, people, query = cuhk03(data)
    vectors = load_embedder(data / "weights" / name, spec, "cpu").embed(crops)
    assert rank_1(vectors, people, query) >= least


def cuhk03(data: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Crops, their identities, and which of them are from camera A."""
    files = sorted((data / "reid" / "cuhk03" / "val").glob("*.webp"))
    names = sorted({file.name[:4] for file in files})[:30]
    files = [file for file in files if file.name[:4] in names]
    crops = [cv2.imread(str(file)) for file in files]
    people = np.array([int(file.name[:4]) for file in files])
    return crops, people, np.array([int(file.name[5:7]) < 5 for file in files])
