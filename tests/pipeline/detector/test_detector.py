"""The person detector on a real picture: a street with a bus and four people."""

import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.schema import DetectorConfig
from pipeline.detector import Detector, openvino_network
from pipeline.detector import detector as detector_module
from pipeline.detector.inference import CLOSE, disagreement, fit, fit_fixed
from pipeline.detector.int8 import INT8_FOLDER, gains, int8_form, int8_name, is_chosen
from pipeline.detector.openvino_network import OpenVinoNetwork, exported
from pipeline.detector.yolo import (
    export_openvino,
    load_checkpoint,
    sample_image,
    ultralytics_module,
)
from pipeline.errors import UserError
from pipeline.paths import cache_folder
from pipeline.sources.picture import BgrPicture
from pipeline.weights import weights_path
from trackers.detections import Detections


@pytest.fixture(scope="module")
def weights() -> Path:
    """yolo26n; without it these tests are skipped, except where it is required."""
    try:
        return weights_path("yolo26n")
    except UserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def openvino(weights: Path) -> Detector:
    return Detector(DetectorConfig(min_score=0.25, precision="float"), "cpu")


@pytest.fixture(scope="module")
def int8(weights: Path) -> Detector:
    return Detector(DetectorConfig(min_score=0.25, precision="int8"), "cpu")


@pytest.fixture(scope="module")
def pytorch(weights: Path) -> Detector:
    return Detector(DetectorConfig(min_score=0.25, backend="torch"), "cpu")


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    return sample_image()


def same(one: Detections, other: Detections) -> bool:
    boxes = np.array_equal(one.boxes, other.boxes)
    return boxes and np.array_equal(one.scores, other.scores)


def test_four_people_by_openvino_as_by_pytorch(
    openvino: Detector, pytorch: Detector, street: np.ndarray
) -> None:
    assert (openvino.backend, pytorch.backend) == ("openvino", "torch")
    found, reference = openvino.detect([street])[0], pytorch.detect([street])[0]
    assert len(found) == len(reference) == 4
    assert found.scores.min() > 0.4
    assert disagreement(found, reference) is None


def test_four_people_in_eight_bits_as_by_pytorch(
    int8: Detector, openvino: Detector, pytorch: Detector, street: np.ndarray
) -> None:
    assert (int8.precision, openvino.precision, pytorch.precision) == ("int8", "float", "float")
    found, reference = int8.detect([street])[0], pytorch.detect([street])[0]
    assert len(found) == len(reference) == 4
    assert disagreement(found, reference, CLOSE) is None
    assert not same(found, openvino.detect([street])[0])
    assert same(found, int8.detect([street, street])[1])


def test_the_precision_is_measured_once_and_kept(weights: Path, tmp_path: Path) -> None:
    asked: list[bool] = []

    def measure() -> bool:
        asked.append(True)
        return True

    export = tmp_path / "model.xml"
    assert is_chosen(export, measure)
    assert is_chosen(export, measure)
    assert len(asked) == 1
    (tmp_path / "other").mkdir()
    assert not is_chosen(tmp_path / "other" / "model.xml", lambda: False)
    assert not is_chosen(tmp_path / "other" / "model.xml", measure)


@pytest.mark.parametrize(("fast_s", "expected"), [(0.9, True), (0.95, False), (2.0, False)])
def test_eight_bits_must_be_clearly_faster(
    fast_s: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def taking(seconds: float) -> Callable[[], None]:
        return lambda: clock.__setitem__(0, clock[0] + seconds)

    monkeypatch.setattr(time, "process_time", lambda: clock[0])
    assert gains(taking(1.0), taking(fast_s)) is expected


def test_no_eight_bits_for_other_models(openvino: Detector, weights: Path, tmp_path: Path) -> None:
    folder = next((cache_folder() / "exports").glob("yolo26n-[0-9a-f]*-640-*"))
    for values in ({"model": str(folder)}, {"backend": "torch"}):
        config = DetectorConfig.model_validate({"precision": "int8", **values})
        with pytest.raises(UserError, match="no eight-bit form"):
            Detector(config, "cpu")
    other = tmp_path / "yolo26n.pt"
    other.write_bytes(b"other weights")
    assert int8_form(other) is None
    assert int8_form(weights) == INT8_FOLDER / int8_name(weights)


def test_pytorch_finds_what_ultralytics_predicts(
    pytorch: Detector, weights: Path, street: np.ndarray
) -> None:
    yolo = ultralytics_module("models").YOLO(str(weights))
    for image in (street, street[350:950, :400], street[300:, ::-1]):
        image = np.ascontiguousarray(image)
        result = yolo.predict(image, conf=0.25, classes=[0], verbose=False, device="cpu")[0]
        found = pytorch.detect([image])[0]
        assert len(found) == len(result.boxes) > 0
        np.testing.assert_allclose(found.boxes, result.boxes.xyxy.numpy(), atol=1)
        np.testing.assert_allclose(found.scores, result.boxes.conf.numpy(), atol=0.02)


def test_boxes_end_at_the_edge_of_the_picture(openvino: Detector, street: np.ndarray) -> None:
    cut = np.ascontiguousarray(street[450:800, 60:780])
    boxes = openvino.detect([cut])[0].boxes
    assert len(boxes) >= 3
    assert boxes.min() == 0
    assert boxes[:, 3].max() == 350
    assert boxes[:, 2].max() <= 720


def test_an_image_without_people_and_no_image(openvino: Detector, pytorch: Detector) -> None:
    grey = np.full((90, 160, 3), 128, np.uint8)
    for detector in (openvino, pytorch):
        assert [len(found) for found in detector.detect([grey])] == [0]
        assert detector.detect([]) == []


def test_what_is_found_does_not_depend_on_the_batch(
    openvino: Detector, pytorch: Detector, street: np.ndarray
) -> None:
    """Five pictures of three sizes, more than one batch."""
    wide = np.ascontiguousarray(street[400:900])
    images = [street, wide, np.zeros((70, 50, 3), np.uint8), street, wide[:, ::-1].copy()]
    together = openvino.detect(images)
    assert [len(found) > 0 for found in together] == [True, True, False, True, True]
    assert all(map(same, together, openvino.detect(images)))
    assert all(map(same, together, [openvino.detect([image])[0] for image in images]))
    for found, image in zip(pytorch.detect(images), images, strict=True):
        assert disagreement(found, pytorch.detect([image])[0]) is None


def test_pictures_of_two_sizes_may_be_under_way_together(
    openvino: Detector, street: np.ndarray
) -> None:
    pictures = [[street, street[:, ::-1]], [street[:540], street], [street[::2, ::2]]]
    alone = [openvino.detect(several) for several in pictures]
    started = [openvino.start(several) for several in pictures]
    together = [finish() for finish in started]
    for one, other in zip(alone, together, strict=True):
        assert all(same(*pair) for pair in zip(one, other, strict=True))


def test_what_was_prepared_is_read_and_the_first_picture_waits_for_nothing(
    weights: Path, street: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = exported(weights, 640, detector_module._checked_export)
    monkeypatch.setattr(openvino_network, "cache_folder", lambda: tmp_path)
    first = OpenVinoNetwork(export, 1)
    letterbox = fit(street.shape[:2], 640, first.traits.stride)
    image = letterbox.apply(BgrPicture(street))
    (made,) = (output.copy() for output in first.start([image]))
    assert len(list((tmp_path / "compiled").iterdir())) == 1

    def compiles(*given: object) -> None:
        pytest.fail("compiled though it was kept")

    monkeypatch.setattr(OpenVinoNetwork, "_prepared", compiles)
    (read,) = (output.copy() for output in OpenVinoNetwork(export, 1).start([image]))
    assert np.array_equal(made, read)


def test_pictures_of_a_prepared_size_are_not_compiled_for_again(
    weights: Path, street: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Detector(DetectorConfig(min_score=0.25, precision="float"), "cpu")
    detector.prepare({street.shape[:2], (0, 0)})

    def compiles(*given: object) -> None:
        pytest.fail("compiled though it was prepared")

    monkeypatch.setattr(OpenVinoNetwork, "_compiled", compiles)
    assert len(detector.detect([street])[0]) == 4


def test_an_exported_folder_is_a_model_too(openvino: Detector, street: np.ndarray) -> None:
    folder = next((cache_folder() / "exports").glob("yolo26n-[0-9a-f]*-640-*"))
    detector = Detector(DetectorConfig(model=str(folder), min_score=0.25), "cuda:0")
    assert (detector.backend, detector.device) == ("openvino", "cpu")
    assert same(detector.detect([street])[0], openvino.detect([street])[0])


# PyTorch's own exporters of the older kind, which ultralytics uses.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_fixed_size_onnx_model(
    weights: Path, pytorch: Detector, street: np.ndarray, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="onnx, which writes ONNX files, is not installed")
    model = load_checkpoint(weights)
    model.pt_path = str(tmp_path / "model.pt")
    options = {"format": "onnx", "imgsz": [640, 480], "simplify": False, "batch": 1}
    path = ultralytics_module("engine.exporter").Exporter(overrides=options)(model=model)
    detector = Detector(DetectorConfig(model=path, min_score=0.25), "cpu")
    assert detector.backend == "onnx"
    assert disagreement(detector.detect([street])[0], pytorch.detect([street])[0]) is None


def test_an_export_without_detections_is_refused(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(model: torch.nn.Module, folder: Path, image_size: int) -> Path:
        for branch in model.model[-1].cv3:
            branch[-1].bias.data.fill_(-50)
        return export_openvino(model, folder, image_size)

    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path))
    monkeypatch.setattr(detector_module, "export_openvino", spoilt)
    with pytest.raises(UserError, match="differs from PyTorch: only one finds the person"):
        Detector(DetectorConfig(model=str(weights), image_size=320), "cpu")
    assert list((tmp_path / "exports").iterdir()) == []


def test_a_model_without_persons(weights: Path, tmp_path: Path) -> None:
    model = load_checkpoint(weights)
    model.names = {index: f"thing {index}" for index in model.names}
    torch.save({"model": model}, tmp_path / "things.pt")
    config = DetectorConfig(model=str(tmp_path / "things.pt"), backend="torch")
    with pytest.raises(UserError, match=r"things\.pt has no class 'person'"):
        Detector(config, "cpu")


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


def test_a_pickle_cannot_run_code_unless_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FUSETRACK_ALLOW_PICKLE", raising=False)
    torch.save({"model": _Payload()}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match="FUSETRACK_ALLOW_PICKLE=1"):
        load_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "unpickled").exists()
    monkeypatch.setenv("FUSETRACK_ALLOW_PICKLE", "1")
    with pytest.raises(UserError, match="not a YOLO checkpoint"):
        load_checkpoint(tmp_path / "evil.pt")
    assert (tmp_path / "unpickled").exists()


def test_an_archive_that_would_fill_the_memory_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(20_000_000))
    with pytest.raises(UserError, match=r"bomb\.pt has \d+ bytes and unpacks to 20000000"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "content", "backend", "expected"),
    [
        ("words.txt", b"words", "auto", r"words\.txt is not a detector"),
        ("words.pt", b"words", "torch", r"words\.pt is damaged or not a YOLO checkpoint"),
        ("empty.pt", b"", "torch", r"empty\.pt is damaged or not a YOLO checkpoint"),
        ("words.pt", b"words", "auto", r"words\.pt is damaged or not a YOLO checkpoint"),
        ("words.onnx", b"words", "auto", r"words\.onnx cannot be read"),
        ("words.onnx", b"words", "torch", r"backend torch cannot run .*words\.onnx"),
        ("words.pt", b"words", "tensorrt", r"backend tensorrt cannot run .*words\.pt"),
        ("words.engine", b"words", "auto", r"words\.engine has no class names"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, name: str, content: bytes, backend: str, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    config = DetectorConfig.model_validate({"model": str(tmp_path / name), "backend": backend})
    with pytest.raises(UserError, match=expected):
        Detector(config, "cpu")


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'yolo26n'"):
        Detector(DetectorConfig(model="yolo-26n"), "cpu")
    with pytest.raises(UserError, match="no such weights file"):
        Detector(DetectorConfig(model=str(tmp_path / "gone.pt")), "cpu")
    with pytest.raises(UserError, match=r"expected one \.xml file"):
        Detector(DetectorConfig(model=str(tmp_path)), "cpu")


@pytest.mark.parametrize("size", [(1088, 1920), (1920, 1088), (31, 33), (1, 700), (480, 640)])
def test_pictures_are_padded_as_in_training(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*size, 3), np.uint8)
    theirs = ultralytics_module("data.augment").LetterBox
    for ours, reference in (
        (fit(size, 640, 32), theirs((640, 640), auto=True, stride=32)),
        (fit_fixed(size, (640, 384)), theirs((640, 384), auto=False)),
    ):
        np.testing.assert_array_equal(ours.apply(BgrPicture(image)), reference(image=image))
        corner = np.array([[ours.left, ours.top]] * 2, np.float32).reshape(1, 4)
        corner[0, 2:] += ours.inner[::-1]
        np.testing.assert_allclose(ours.to_source(corner), [[0, 0, size[1], size[0]]], rtol=1e-5)


def test_a_portrait_picture_runs_as_a_portrait() -> None:
    assert fit((1920, 1088), 640, 32).outer == (640, 384)


def people(*rows: tuple[float, float, float, float, float]) -> Detections:
    array = np.array(rows, np.float32).reshape(-1, 5)
    return Detections(boxes=array[:, :4], scores=array[:, 4])


def test_when_two_networks_agree() -> None:
    one = people((0, 0, 10, 100, 0.5))
    assert disagreement(people(), people()) is None
    assert disagreement(one, people((0, 0, 10, 90, 0.5))) is None
    assert disagreement(one, people((0, 0, 10, 89, 0.5))) is not None
    assert disagreement(one, people((0, 0, 10, 100, 0.54))) is None
    assert disagreement(one, people((0, 0, 10, 100, 0.56))) is not None
    assert disagreement(one, people()) is not None
    assert disagreement(people(), one) is not None
    # A weak detection of one may be missed by the other.
    assert disagreement(people(), people((0, 0, 10, 100, 0.39))) is None
    assert disagreement(people(), people((0, 0, 10, 100, 0.4))) is not None
