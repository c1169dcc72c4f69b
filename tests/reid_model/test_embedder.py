"""Embedders: small networks made here, and the real ones."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reid_model.embedder import (
    Embedder,
    EmbedderSpec,
    load_embedder,
)
from reid_model.openvino_runtime import convert_network, import_openvino
from reid_model.preprocess import normalise, resize_crops
from reid_toys import at_once, write_mean_network

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL = EmbedderSpec(128, 64, "rgb", 1 / 255, MEAN, STD)
TINY = EmbedderSpec(2, 2, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def small_network() -> torch.nn.Module:
    """Two convolutions with random weights: 32 numbers of a picture."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 5, stride=4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2),
        torch.nn.AdaptiveMaxPool2d(1),
        torch.nn.Flatten(),
    ).eval()


def written(network: torch.nn.Module, path: Path) -> Path:
    import_openvino().save_model(convert_network(network, 128, 64), path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `small_network`."""
    return written(small_network(), tmp_path_factory.mktemp("weights") / "net.xml")


def some_crops(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    sizes = random.integers(20, 90, (count, 2))
    return [random.integers(0, 256, (height, width, 3), np.uint8) for height, width in sizes]


def test_openvino_agrees_with_torch(small: Path) -> None:
    crops = some_crops(5)
    embedder = load_embedder(small, SMALL, batch=8)
    pixels = torch.from_numpy(normalise(resize_crops(crops, 128, 64), SMALL))
    with torch.inference_mode():
        reference = torch.nn.functional.normalize(small_network()(pixels)).numpy()
    found = embedder.embed(crops)
    assert found.dtype == np.float32
    assert (embedder.dimension, found.shape, embedder.device) == (32, (5, 32), "cpu")
    assert (found * reference).sum(axis=1).min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    # The random network must tell the crops apart, or the comparison would prove nothing.
    assert (found[0] * found[1:]).sum(axis=1).max() < 0.9999


def test_order_and_values_do_not_depend_on_the_batch(small: Path) -> None:
    crops = some_crops(5)
    whole = load_embedder(small, SMALL, batch=8).embed(crops)
    parts = load_embedder(small, SMALL, batch=2)
    np.testing.assert_array_equal(parts.embed(crops), whole)
    np.testing.assert_array_equal(parts.embed(crops[::-1]), whole[::-1])


def test_colours_are_read_in_the_order_of_the_network(tmp_path: Path) -> None:
    bgr = [(250, 120, 10), (0, 0, 90)]
    crops = [np.full((4, 4, 3), colour, np.uint8) for colour in bgr]
    spec = EmbedderSpec(2, 2, "rgb", 0.1, (5.0, 2.0, 1.0), (2.0, 4.0, 5.0))
    found = load_embedder(write_mean_network(tmp_path / "tiny.xml"), spec).embed(crops)
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
    embedder = Embedder(at_once(network), TINY, "cpu", batch=8)
    crops = some_crops(9)
    expected = Embedder(at_once(Counting(most=9)), TINY, "cpu", batch=9).embed(crops)
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
    ("count", "batches"),
    [
        (1, [1]),
        (2, [2]),
        (3, [3]),
        (5, [3, 2]),
        (7, [4, 3]),
        (8, [8]),
        (9, [4, 3, 2]),
        (10, [8, 2]),
        (17, [8, 4, 3, 2]),
    ],
)
def test_a_batch_has_one_of_few_sizes_and_only_a_lone_crop_is_alone(
    count: int, batches: list[int]
) -> None:
    network = Counting(most=8)
    embedder = Embedder(at_once(network), TINY, "cpu", 8, sizes=(1, 2, 3, 4, 8))
    crops = some_crops(count)
    expected = Embedder(at_once(Counting(most=99)), TINY, "cpu", batch=99).embed(crops)
    network.sizes.clear()
    np.testing.assert_array_equal(embedder.embed(crops), expected)
    assert network.sizes == batches


def test_a_size_beyond_memory_is_not_used() -> None:
    network = Counting(most=3)
    embedder = Embedder(at_once(network), TINY, "cpu", 8, sizes=(1, 2, 3, 4, 8))
    network.sizes.clear()
    embedder.embed(some_crops(5))
    assert network.sizes == [2, 1, 2]


def test_a_network_of_nan_is_refused(tmp_path: Path) -> None:
    network = small_network()
    torch.nn.init.constant_(network.get_parameter("2.bias"), torch.nan)
    with pytest.raises(ValueError, match="NaN or infinite"):
        load_embedder(written(network, tmp_path / "nan.xml"), SMALL)

    def sometimes(pictures: np.ndarray) -> np.ndarray:
        return np.where(pictures.max() > 200, np.inf, 1.0) * np.ones((len(pictures), 3), np.float32)

    embedder = Embedder(at_once(sometimes), TINY, "cpu", batch=2)
    assert embedder.embed([np.full((4, 4, 3), 9, np.uint8)]).shape == (1, 3)
    with pytest.raises(ValueError, match="NaN or infinite"):
        embedder.embed([np.full((4, 4, 3), 255, np.uint8)])


@pytest.mark.parametrize("end", [0, 10, 3000])
def test_a_truncated_file_is_refused(tmp_path: Path, small: Path, end: int) -> None:
    (tmp_path / "cut.xml").write_bytes(small.read_bytes()[:end])
    (tmp_path / "cut.bin").write_bytes(small.with_suffix(".bin").read_bytes())
    with pytest.raises(ValueError, match="cut"):
        load_embedder(tmp_path / "cut.xml", SMALL)


def test_a_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    openvino = import_openvino()
    ops = openvino.opset13
    numbers = ops.parameter([1, 7], np.float32)
    product = ops.matmul(numbers, np.ones((7, 3), np.float32), False, False)
    path = tmp_path / "flat.xml"
    openvino.save_model(openvino.Model([product], [numbers]), path)
    with pytest.raises(ValueError, match="does not take pictures of 2x2"):
        load_embedder(path, TINY)


def test_no_crops(small: Path) -> None:
    assert load_embedder(small, SMALL).embed([]).shape == (0, 32)


def test_an_openvino_file_made_for_one_picture_takes_many(tmp_path: Path) -> None:
    embedder = load_embedder(write_mean_network(tmp_path / "tiny.xml"), TINY, batch=2)
    colours = [(255, 0, 0), (0, 9, 0), (0, 3, 4), (0, 0, 0)]
    crops = [np.full((5, 7, 3), colour, np.uint8) for colour in colours]
    expected = [(1, 0, 0), (0, 1, 0), (0, 0.6, 0.8), (0, 0, 0)]
    np.testing.assert_allclose(embedder.embed(crops), expected, atol=1e-2)
    assert embedder.dimension == 3


def test_files_that_are_not_networks(tmp_path: Path, small: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        load_embedder(tmp_path / "gone.xml", SMALL)
    for name in ("words.xml", "words.onnx"):
        (tmp_path / name).write_text("not a network")
        with pytest.raises(ValueError, match=f"{name}"):
            load_embedder(tmp_path / name, TINY)
    with pytest.raises(ValueError, match="at least 1"):
        load_embedder(small, SMALL, batch=0)


def rank_1(vectors: np.ndarray, people: np.ndarray, query: np.ndarray) -> float:
    best = (vectors[query] @ vectors[~query].T).argmax(axis=1)
    return float((people[~query][best] == people[query]).mean())


@pytest.mark.skipif("FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set")
@pytest.mark.parametrize(
    ("name", "spec", "least"),
    [
        (
            "person-reidentification-retail-0286.FP16.xml",
            EmbedderSpec(256, 128, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
            0.95,
        ),
        (
            "osnet_x0_25_msmt17.onnx",
            EmbedderSpec(256, 128, "rgb", 1 / 255, MEAN, STD),
            0.74,
        ),
    ],
)
def test_real_networks_on_real_people(name: str, spec: EmbedderSpec, least: float) -> None:
    """Rank 1 between the cameras of CUHK03's first 30 validation identities."""
    data = Path(os.environ["FUSETRACK_DATA"])
    crops, people, query = cuhk03(data)
    vectors = load_embedder(data / "weights" / name, spec).embed(crops)
    assert rank_1(vectors, people, query) >= least


def cuhk03(data: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Crops, their identities, and which of them are from camera A."""
    files = sorted((data / "reid" / "cuhk03" / "val").glob("*.webp"))
    names = sorted({file.name[:4] for file in files})[:30]
    files = [file for file in files if file.name[:4] in names]
    crops = [cv2.imread(str(file)) for file in files]
    people = np.array([int(file.name[:4]) for file in files])
    return crops, people, np.array([int(file.name[5:7]) < 5 for file in files])
