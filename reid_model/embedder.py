"""From crops of people to unit vectors, which are compared by their dot product."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reid_model.inference_requests import InferenceRequests
from reid_model.openvino_runtime import core, import_openvino, read_network
from reid_model.preprocess import EmbedderSpec, resize_crops

__all__ = [
    "Descriptions",
    "Embedder",
    "EmbedderSpec",
    "load_embedder",
    "memory_errors",
    "openvino_embedder",
]

#: Begins to compute the raw vectors (N, D) of BGR pictures (N, H, W, 3) uint8; what it returns
#: waits for them, and is called once. Either raises MemoryError when N is too large.
_Start = Callable[[NDArray[np.uint8]], Callable[[], NDArray[np.float32]]]

#: The precision of the computation; bf16 is faster on processors that support it.
Precision = Literal["f32", "bf16"]

_TINY = 1e-12
#: The batches on a CPU, of which larger ones take as long a crop. OpenVINO keeps memory for each
#: size that it has run; as all run at the start, memory does not grow later.
_CPU_SIZES = (1, 2, 3, 4)
#: Batches of one call that are under way at a time.
_PARALLEL = 4
#: Parts of PyTorch's and OpenVINO's messages when memory runs out.
_OUT_OF_MEMORY = ("out of memory", "can't allocate", "bad_alloc", "allocate memory")


@dataclass(frozen=True, slots=True, eq=False)
class Descriptions:
    """What a network says about N crops.

    ``vectors`` is ``(N, D)`` float32, the unit vectors of `Embedder.embed`. ``text_vectors`` is
    ``(N, T)`` float32, unit vectors that are compared with sentences, None from a network that
    knows no words. ``visibilities`` is ``(N, P)`` float32, 0..1: how much is seen of each part of
    the body; None from a network that tells no parts.
    """

    vectors: NDArray[np.float32]
    text_vectors: NDArray[np.float32] | None = None
    visibilities: NDArray[np.float32] | None = None


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """``vectors`` ``(N, D)`` with unit rows; one of all zeros stays so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _TINY), np.float32)


class Embedder:
    """A network with its preprocessing and batch size. Not thread-safe.

    ``dimension`` is D. ``device`` is ``cpu`` or ``cuda:N``. ``batch`` is the largest batch; it is
    halved when memory runs out. Where ``sizes`` are given, batches have these alone. Raises
    ValueError for a batch under 1, and for a network whose output is not finite.
    """

    def __init__(
        self,
        start: _Start,
        spec: EmbedderSpec,
        device: str,
        batch: int,
        sizes: Sequence[int] | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        self._start = start
        self._spec = spec
        self._sizes = sizes
        self.batch = batch
        self.device = device
        self.dimension = self._warm_up()

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The unit vectors of BGR crops ``(h, w, 3)`` of any size: ``(N, D)``, in their order.

        An output of all zeros stays all zeros. Raises ValueError for a crop that is not uint8 BGR
        or has no pixels, and for a network whose output is not finite.
        """
        return unit_rows(self.outputs(crops))

    def outputs(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """What the network gives of crops, as it is: ``(N, D)``. Raises ValueError as `embed`."""
        while True:
            try:
                return self._outputs(crops)
            except MemoryError:
                largest = min(self.batch, len(crops))
                if largest == 1:
                    raise
                self.batch = largest // 2

    def _outputs(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The next batches are made ready while some are computed."""
        vectors = [np.zeros((0, self.dimension), np.float32)]
        running: deque[Callable[[], NDArray[np.float32]]] = deque()
        begin = 0
        while begin < len(crops):
            end = begin + self._next_batch(len(crops) - begin)
            running.append(self._start(self._pictures(crops[begin:end])))
            if len(running) == _PARALLEL:
                vectors.append(_finite(running.popleft()()))
            begin = end
        return np.concatenate([*vectors, *(_finite(wait()) for wait in running)])

    def _pictures(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        return resize_crops(crops, self._spec.height, self._spec.width)

    @property
    def has_words(self) -> bool:
        """Whether `describe` gives text vectors."""
        return False

    def describe(self, crops: list[NDArray[np.uint8]]) -> Descriptions:
        """All that the network says about crops, which are as of `embed`. Raises ValueError as
        that.
        """
        return Descriptions(self.embed(crops))

    def _next_batch(self, left: int) -> int:
        if self._sizes is None:
            return min(left, self.batch)
        return next_size([size for size in self._sizes if size <= self.batch], left)

    def _warm_up(self) -> int:
        """Embed the largest batch once, so that memory does not grow later; returns D."""
        while True:
            black = np.zeros((self.batch, self._spec.height, self._spec.width, 3), np.uint8)
            try:
                return int(_finite(self._start(black)()).shape[1])
            except MemoryError:
                if self.batch == 1:
                    raise
                self.batch //= 2


def _finite(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(vectors).all():
        raise ValueError("the network gives vectors that are NaN or infinite")
    return vectors


def load_embedder(path: Path, spec: EmbedderSpec, batch: int = 32) -> Embedder:
    """Open an OpenVINO or ONNX file; it runs through OpenVINO, on the CPU.

    Raises ValueError when the file is missing, cannot be read, or does not fit ``spec``.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    return openvino_embedder(read_network(path), str(path), spec, batch)


def openvino_embedder(
    network: Any, name: str, spec: EmbedderSpec, batch: int, precision: Precision | None = None
) -> Embedder:
    """An OpenVINO model on the CPU; it is modified and must not be used elsewhere.

    With a ``precision`` of None OpenVINO chooses the fastest of the processor. Raises ValueError,
    with ``name`` in its message, when the model does not fit ``spec``.
    """
    # A batch takes one thread: several share too little work, and wait for each other.
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "PERFORMANCE_HINT_NUM_REQUESTS": _PARALLEL,
    }
    if precision is not None:
        options["INFERENCE_PRECISION_HINT"] = precision
    try:
        network.reshape([-1, 3, spec.height, spec.width])
        compiled = core().compile_model(with_preprocessing(network, spec), "CPU", options)
    except RuntimeError as error:
        raise ValueError(f"{name} does not take pictures of {spec.height}x{spec.width}") from error
    requests = InferenceRequests(compiled)

    def start(pictures: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        with memory_errors():
            running = requests.start(pictures)

        def wait() -> NDArray[np.float32]:
            with memory_errors():
                vectors = np.array(running.wait(), np.float32).reshape(len(pictures), -1)
            running.give_back()
            return vectors

        return wait

    sizes = [size for size in _CPU_SIZES if size <= batch]
    embedder = Embedder(start, spec, "cpu", max(sizes, default=batch), sizes)
    for size in (s for s in sizes if s <= embedder.batch):
        # As many at a time as there are streams, each of which keeps memory of its own.
        black = np.zeros((size, spec.height, spec.width, 3), np.uint8)
        for wait in [start(black) for _ in range(compiled.get_property("NUM_STREAMS"))]:
            wait()
    return embedder


def next_size(sizes: Sequence[int], left: int) -> int:
    """The largest of ``sizes`` of which ``left`` crops fill a batch and leave no single one.

    A single crop takes longer than one of a pair.
    """
    return max((size for size in sizes if size == left or size < left - 1), default=1)


def with_preprocessing(network: Any, spec: EmbedderSpec) -> Any:
    """The OpenVINO model with BGR pictures ``(N, height, width, 3)`` uint8 as its one input."""
    openvino = import_openvino()
    ops = openvino.opset13
    pictures = ops.parameter([-1, spec.height, spec.width, 3], np.uint8, name="pictures")
    values = ops.convert(pictures, "f32")
    if spec.colour == "rgb":
        values = ops.gather(values, np.array([2, 1, 0]), np.array(3))
    values = ops.subtract(values, np.array(spec.mean, np.float32) / np.float32(spec.scale))
    values = ops.multiply(values, np.float32(spec.scale) / np.array(spec.std, np.float32))
    # OpenVINO's own PrePostProcessor gives wrong vectors for the fused network (2026.4).
    pixels = ops.transpose(values, np.array([0, 3, 1, 2]))
    network.input().get_node().output(0).replace(pixels.output(0))
    return openvino.Model(network.get_results(), [pictures], network.get_friendly_name())


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise a network's out-of-memory error as MemoryError."""
    try:
        yield
    except RuntimeError as error:
        if any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise MemoryError(str(error)) from error
        raise
