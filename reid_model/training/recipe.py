"""A training recipe: every hyperparameter of both stages; the defaults are the published values.

CLIP-ReID (Li et al. 2023) for RN50, and Electronics 2025, 14(3), 525, for its additions. Recipes
and checkpoints of earlier versions hold old names of keys, which are renamed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from reid_model.networks.encoder import EncoderName
from reid_model.networks.fused import Embedding
from reid_model.networks.mscsa import Normalisation, Scale, Spatial
from reid_model.networks.text_guidance import Residual

#: Stage 1 trains the prompts only, on features that are computed once (``A``), or the prompts and
#: MSCSA together (``B``).
Stage1Mode = Literal["A", "B"]
#: The precision in which networks compute; parameters and losses are always float32.
TrainingPrecision = Literal["float32", "bfloat16", "float16"]
#: What a teacher embeds: the ``plain`` pictures, once, or each ``augmented`` picture, as the
#: student gets it.
TeacherView = Literal["plain", "augmented"]
#: Decay of stage 2's learning rate: by the factor ``decay`` at each milestone, or in a cosine down
#: to its square.
RateDecay = Literal["steps", "cosine"]
#: Old and current name of a section.
_SECTIONS = {"teaching": "distillation"}
#: By current section: old key, current key, and the current name of each old value.
_KEYS = {"distillation": ("look", "teacher_view", {"once": "plain", "always": "augmented"})}


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """The image encoder, its size and the modules around it.

    ``image_size`` is height and width in pixels. Without ``texts`` it is the baseline: no prompts,
    no first stage and no text loss. ``text_guidance`` adapts the texts to each picture.
    ``standardise`` normalises each picture by its own mean and deviation.
    """

    encoder: EncoderName = "clip-resnet"
    width: int = 64
    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    output_dim: int = 1024
    image_size: tuple[int, int] = (256, 128)
    mscsa_modules: int = 3
    normalisation: Normalisation = "softmax"
    spatial: Spatial = "intended"
    scale: Scale = "one"
    embedding: Embedding = "before"
    texts: bool = True
    text_guidance: bool = True
    residual: Residual = "state"
    standardise: bool = False

    def __post_init__(self) -> None:
        _at_least(1, output_dim=self.output_dim, layers=min(self.layers))
        _one_of(get_args(EncoderName), encoder=self.encoder)
        if self.text_guidance and not self.texts:
            raise ValueError("text_guidance needs texts: set texts to true, or both to false")


@dataclass(frozen=True, slots=True)
class Stage1Recipe:
    """The training of the prompts: Adam, a linear warm-up, and a cosine down to ``final_rate``."""

    mode: Stage1Mode = "B"
    epochs: int = 60
    batch: int = 64
    learning_rate: float = 3.5e-4
    weight_decay: float = 1e-4
    warm_up_epochs: int = 5
    warm_up_rate: float = 1e-5
    final_rate: float = 1e-6

    def __post_init__(self) -> None:
        _at_least(1, epochs=self.epochs, batch=self.batch)
        _at_least(
            0,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warm_up_epochs=self.warm_up_epochs,
            warm_up_rate=self.warm_up_rate,
            final_rate=self.final_rate,
        )


@dataclass(frozen=True, slots=True)
class Stage2Recipe:
    """The training of the image encoder: Adam on batches of ``identities`` x ``images`` pictures.

    An epoch ends after ``batches``, or when the sampler has no more. The learning rate rises
    linearly from ``warm_up_factor`` over ``warm_up_epochs``, and is multiplied by ``decay`` at each
    milestone, or falls in a cosine over all epochs to ``decay`` squared. That of biases is
    ``bias_factor`` times as high. ``identity``, ``triplet`` and ``image_to_text`` are loss weights.
    With text guidance, ``plain_texts`` adds the loss against the unguided texts.
    """

    epochs: int = 120
    batches: int | None = None
    identities: int = 16
    images: int = 4
    learning_rate: float = 3.5e-4
    weight_decay: float = 5e-4
    bias_factor: float = 2.0
    warm_up_epochs: int = 10
    warm_up_factor: float = 0.01
    fall: RateDecay = "steps"
    milestones: tuple[int, ...] = (40, 70)
    decay: float = 0.1
    smoothing: float = 0.1
    margin: float = 0.3
    identity: float = 1.0
    triplet: float = 1.0
    image_to_text: float = 1.0
    plain_texts: bool = False

    def __post_init__(self) -> None:
        _at_least(1, epochs=self.epochs, identities=self.identities, images=self.images)
        _at_least(1, batches=1 if self.batches is None else self.batches)
        _at_least(
            0,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            bias_factor=self.bias_factor,
            warm_up_epochs=self.warm_up_epochs,
            warm_up_factor=self.warm_up_factor,
            decay=self.decay,
            margin=self.margin,
            identity=self.identity,
            triplet=self.triplet,
            image_to_text=self.image_to_text,
        )
        _fractions(smoothing=self.smoothing)
        _one_of(get_args(RateDecay), fall=self.fall)
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must increase, got {self.milestones}")


@dataclass(frozen=True, slots=True)
class AugmentRecipe:
    """The augmentations: probabilities, ``pad`` in pixels, and ``hue``, the largest hue shift of
    ``recolour`` as a share of the colour circle.

    The published recipe has the first three only. ``mix`` combines two people in a picture, which
    then has no identity: only distillation learns from it.
    """

    flip: float = 0.5
    pad: int = 10
    erase: float = 0.5
    tight: float = 0.0
    coarse: float = 0.0
    recolour: float = 0.0
    occlude: float = 0.0
    mix: float = 0.0
    hue: float = 0.05

    def __post_init__(self) -> None:
        _at_least(0, pad=self.pad)
        _fractions(
            flip=self.flip,
            erase=self.erase,
            tight=self.tight,
            coarse=self.coarse,
            recolour=self.recolour,
            occlude=self.occlude,
            mix=self.mix,
        )
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue must be within 0..0.5, half the circle, got {self.hue}")


@dataclass(frozen=True, slots=True)
class DistillationRecipe:
    """Distillation from other networks: the teachers, what they embed, and the loss weights.

    ``embedding`` weighs the cosine between a linear map of our embedding and the teacher's,
    ``similarity`` compares the cosines of all pairs in a batch, ``neighbours`` those of near pairs,
    the nearer the lower ``temperature`` is. Each loss is averaged over the teachers.

    After ``repeat`` epochs the same augmented pictures are used again, and the teachers' embeddings
    of them are read from disk; 0 never repeats.
    """

    teachers: tuple[str, ...] = ()
    teacher_view: TeacherView = "plain"
    repeat: int = 0
    embedding: float = 1.0
    similarity: float = 10.0
    neighbours: float = 1.0
    temperature: float = 0.1

    def __post_init__(self) -> None:
        _at_least(
            0,
            repeat=self.repeat,
            embedding=self.embedding,
            similarity=self.similarity,
            neighbours=self.neighbours,
        )
        _one_of(get_args(TeacherView), teacher_view=self.teacher_view)
        if self.repeat and self.teacher_view != "augmented":
            raise ValueError(
                "repeat keeps embeddings of augmented pictures: set teacher_view to augmented, "
                "or repeat to 0"
            )
        if self.temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training. ``data`` is the name of a reader of `reid_model.data.READERS`.

    Raises ValueError, as its parts do, for a value out of range.
    """

    data: str = "folder"
    seed: int = 1234
    precision: TrainingPrecision = "bfloat16"
    model: ModelRecipe = field(default_factory=ModelRecipe)
    stage1: Stage1Recipe = field(default_factory=Stage1Recipe)
    stage2: Stage2Recipe = field(default_factory=Stage2Recipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    distillation: DistillationRecipe = field(default_factory=DistillationRecipe)

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed)
        _one_of(get_args(TrainingPrecision), precision=self.precision)
        if self.augment.mix > 0 and self.distillation.teacher_view != "augmented":
            raise ValueError(
                "augment.mix makes pictures without an identity, which only teachers can embed: "
                "set distillation.teacher_view to augmented, or augment.mix to 0"
            )


def _at_least(least: float, **values: float) -> None:
    for name, value in values.items():
        if not value >= least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def _fractions(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be within 0..1, got {value}")


def _one_of(known: Sequence[str], **values: str) -> None:
    for name, value in values.items():
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def current_names(
    recipe: Mapping[str, Any], renamed: Callable[[str, str], None] = lambda old, new: None
) -> dict[str, Any]:
    """``recipe``, as YAML or `dataclasses.asdict` give it, with current names.

    ``renamed`` is called with the old and the current name of each key that has one. Raises
    ValueError when a key is given under both names.
    """
    found = dict(recipe)
    given = {current: old for old, current in _SECTIONS.items() if old in found}
    for section, old in given.items():
        _rename(found, old, section, f"{old} is the old name of {section}")
        renamed(old, section)
    for section, (old, current, values) in _KEYS.items():
        content = found.get(section)
        if not isinstance(content, dict) or old not in content:
            continue
        found[section] = content = dict(content)
        value = content[old]
        name = given.get(section, section)
        _rename(content, old, current, f"{name}.{old} is the old name of {section}.{current}")
        # Lists and sections cannot be looked up; they are refused later.
        content[current] = values.get(value, value) if isinstance(value, str) else value
        renamed(f"{name}.{old}: {value}", f"{section}.{current}: {content[current]}")
    return found


def _rename(values: dict[str, Any], old: str, current: str, fault: str) -> None:
    if current in values:
        raise ValueError(f"{fault}: expected one of the two")
    values[current] = values.pop(old)


def current_losses(losses: Mapping[str, float]) -> dict[str, float]:
    """``losses`` by name, with current names: one that belongs to a section is named after it."""
    return {_SECTIONS.get(name, name): value for name, value in losses.items()}
