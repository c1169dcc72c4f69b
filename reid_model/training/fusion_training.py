"""Training FusionSegReID around a fused model that stays as it is, on maps of its early stages.

Each step sees pictures with words that describe them, and, where there are any, composed pictures:
people behind people and things, with the mask of what is seen of the person known. Words and
pictures are aligned by SDM, masks and parts are told apart, and the vector of a hidden person is
held against the fused model's of the same picture with nothing before it, and against those of
everybody as other cameras see them.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from reid_model.losses import (
    batch_hard_triplet,
    cosine_distillation,
    similarity_distillation,
    stage1_loss,
)
from reid_model.networks.cross_modal import dropped
from reid_model.networks.fusion import FusionModel, Seen, mean_and_most
from reid_model.training.camera_proxies import CameraProxies
from reid_model.training.fusion_losses import (
    mask_loss,
    part_loss,
    similarity_distribution_matching,
)
from reid_model.training.kept_maps import KeptMaps
from reid_model.training.optimiser import autocast, move_average, set_rate, warmed_cosine
from reid_model.training.recipe import TrainingPrecision

_LONGEST_STEP = 5.0
#: Of the contrasts: that with which CLIP begins.
_TEMPERATURE = 0.07
_FACTORS = 20.0
#: The late stages know much already.
_LATE = 0.4
#: The number of values that are left out of a mean each time.
_HIDDEN = 0.2
#: Fewer pictures with words in a batch teach nothing.
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class FusionRecipe:
    """``steps`` batches of ``scenes`` composed pictures, and at one step in ``words_every`` one of
    ``pairs`` pictures with words; of a sentence ``longest`` tokens.

    The rate rises over ``warm_up`` steps and falls in a cosine. ``missing`` is the share of pairs
    that lose their picture, and of those that lose their words. ``people`` weighs how near vectors
    stay to the fused model's, ``elsewhere`` that they are nearer to the same person before other
    cameras than to anybody else, ``matching`` SDM beside the contrast; ``average`` is what the
    running average of the weights keeps at a step.
    """

    steps: int = 2000
    words_every: int = 3
    pairs: int = 64
    scenes: int = 32
    longest: int = 48
    learning_rate: float = 1e-3
    warm_up: int = 50
    missing: float = 0.3
    people: float = 2.0
    elsewhere: float = 0.5
    matching: float = 0.05
    similarity: float = 10.0
    margin: float = 0.3
    average: float = 0.99
    seed: int = 1
    precision: TrainingPrecision = "bfloat16"


@dataclass(frozen=True, slots=True)
class Pictures:
    """Training pictures: ``second`` keeps their second stage's maps, ``start (N, 256)`` are the
    fused model's unit vectors of them, and ``people``, ``cameras`` and ``sets`` ``(N,)`` say who,
    where, and in which data set; no two sets share a person."""

    second: KeptMaps
    start: Tensor
    people: NDArray[np.int64]
    cameras: NDArray[np.int64]
    sets: NDArray[np.int64]

    def proxies(self) -> CameraProxies:
        """The people as each camera sees them."""
        people, cameras, sets = map(torch.from_numpy, (self.people, self.cameras, self.sets))
        return CameraProxies(self.start, people, cameras, sets)


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences: a text encoder's ``states`` of the words of each, ``(L, 384)``, and the indices of
    the pictures ``shown`` that each describes."""

    states: Sequence[Tensor]
    shown: Sequence[NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Scenes:
    """Composed pictures: the maps of their ``first`` and ``second`` stages, and the training
    picture ``(S,)`` that is the person's. ``masks (S, H, W)`` int8: 1 what is seen of the person, 0
    anything else, -1 not known. ``parts (S, 16, 8)`` int8: 0 the background, 1 to 4 a part, -1."""

    first: KeptMaps
    second: KeptMaps
    pictures: NDArray[np.int64]
    masks: NDArray[np.int8]
    parts: NDArray[np.int8]


def train_fusion(
    model: FusionModel,
    pictures: Pictures,
    words: Words | None,
    scenes: Scenes | None,
    recipe: FusionRecipe,
    report: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> FusionModel:
    """The running average of ``model``, which learns in place but for its fused model.

    Raises ValueError with nothing to learn from.
    """
    draw = _Draw(pictures, words, scenes, recipe)
    learning = _learning(model)
    optimiser = torch.optim.AdamW(_groups(model), recipe.learning_rate, weight_decay=0.01)
    average = copy.deepcopy(model).eval()
    model.train()
    model.fused.eval()
    for step in range(recipe.steps):
        share = warmed_cosine(step, recipe.steps, recipe.warm_up)
        set_rate(optimiser, recipe.learning_rate * share)
        losses = _losses(model, draw, recipe, step)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(learning, _LONGEST_STEP)
        optimiser.step()
        move_average(average, model, 1 - min(recipe.average, (step + 1) / (step + 10)))
        report(step + 1, {name: float(value.detach()) for name, value in losses.items()})
    return average


def train_late_copies(
    model: FusionModel,
    pictures: Pictures,
    scenes: Scenes,
    recipe: FusionRecipe,
    report: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> None:
    """Let a new model's copies of the late stages know hidden people, before a mask guides them.

    Each step sees ``scenes`` composed pictures of which only the second stage's maps are needed,
    and a third as many as they are. What is left in the model is the running average.
    """
    draw = _Draw(pictures, None, scenes, recipe)
    learning = [p for name, p in model.named_parameters() if name.startswith("late.")]
    for parameter in learning:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(learning, recipe.learning_rate, weight_decay=0.0)
    average, proxies = copy.deepcopy(model.late), pictures.proxies()
    for step in range(recipe.steps):
        share = warmed_cosine(step, recipe.steps, recipe.warm_up)
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * share
        maps, shown = draw.hidden_and_plain()
        with autocast("cpu", recipe.precision):
            found = model.late.late(maps).f_proj
        vectors = F.normalize(model.fused.neck_proj(found.float()), dim=1)
        losses = _of_people(vectors, shown, pictures, proxies, recipe)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(learning, _LONGEST_STEP)
        optimiser.step()
        move_average(average, model.late, 1 - min(recipe.average, (step + 1) / (step + 10)))
        report(step + 1, {name: float(value.detach()) for name, value in losses.items()})
    model.late.load_state_dict(average.state_dict())


def fit_tokens(model: FusionModel, pictures: Pictures, words: Words, count: int = 512) -> None:
    """Let a new model standardise its tokens as those of some pictures and sentences."""
    some = np.linspace(0, len(pictures.people) - 1, min(count, len(pictures.people))).astype(int)
    raw = model.raw_tokens(pictures.second.read([0] * len(some), some.tolist()))
    model.adapt.fit(raw.flatten(0, 1))
    states = words.states[:: max(1, len(words.states) // count)]
    model.adapt_text.fit(torch.cat(list(states)).float())


def align_means(
    model: FusionModel,
    pictures: Pictures,
    words: Words,
    recipe: FusionRecipe,
    steps: int = 1200,
    batch: int = 128,
) -> None:
    """Let a new model align pictures and words by the means of their tokens, before its attention
    learns: that takes a hundredth of the work, and attention then starts from there.
    """
    shown = np.unique(np.concatenate(list(words.shown)))
    seen = _of_pictures(pictures, shown, lambda maps: model.raw_tokens(maps).mean(dim=1))
    said = torch.stack([one.float().mean(dim=0) for one in words.states])
    learning = [
        parameter
        for name, parameter in model.named_parameters()
        if name.startswith(("adapt", "share", "transformer"))
    ]
    optimiser = torch.optim.AdamW(learning, recipe.learning_rate, weight_decay=0.1)
    draw = _Draw(pictures, words, None, replace(recipe, pairs=batch))
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * (1 - step / steps)
        some, sentences = draw.rows()
        of_picture = model.shared_means(F.dropout(seen[some], _HIDDEN), None)
        of_text = model.shared_means(None, F.dropout(said[sentences], _HIDDEN))
        labels = torch.from_numpy(pictures.people[some])
        loss = stage1_loss(of_picture / _TEMPERATURE, of_text, labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def learn_text_head(
    model: FusionModel,
    pictures: Pictures,
    words: Words,
    recipe: FusionRecipe,
    steps: int = 300,
    batch: int = 256,
) -> None:
    """Let what reads sentences beside the transformer learn, while all else stays as it is.

    Each step holds sentences about as many people against vectors of their pictures, every other
    one the mean of all pictures of the person. What is left is the running average.
    """
    draw = _Draw(pictures, words, None, replace(recipe, pairs=batch))
    shown = np.unique(np.concatenate(list(words.shown)))
    seen = _of_pictures(
        pictures,
        shown,
        lambda maps: model.shared(model.transformer(model.picture_tokens(maps), None)),
    )
    said, common = _sentences(model, words)
    head, average = model.text_head.train(), copy.deepcopy(model.text_head).eval()
    optimiser = torch.optim.AdamW(head.parameters(), recipe.learning_rate, weight_decay=0.1)
    for step in range(steps):
        share = warmed_cosine(step, steps, recipe.warm_up)
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * share
        some, sentences = draw.rows()
        own = torch.from_numpy(pictures.people[some])
        mean = torch.stack([seen[pictures.people == one].sum(dim=0) for one in own.numpy()])
        wanted = torch.where(torch.arange(len(own))[:, None] % 2 == 0, seen[some], mean)
        found = F.normalize(common[sentences] + head(said[sentences]), dim=1)
        loss = stage1_loss(F.normalize(wanted, dim=1) / _TEMPERATURE, found, own)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        move_average(average, head, 1 - min(recipe.average, (step + 1) / (step + 10)))
    model.text_head = average


@torch.no_grad()
def _of_pictures(
    pictures: Pictures, shown: NDArray[np.int64], see: Callable[[Tensor], Tensor], batch: int = 64
) -> Tensor:
    """What ``see`` makes of the maps of pictures, ``(N, D)``, zero of those not ``shown``."""
    parts = [shown[start : start + batch] for start in range(0, len(shown), batch)]
    seen = torch.cat([see(pictures.second.read([0] * len(one), one.tolist())) for one in parts])
    found = torch.zeros(len(pictures.people), seen.shape[1])
    found[shown] = seen
    return found


@torch.no_grad()
def _sentences(model: FusionModel, words: Words, batch: int = 256) -> tuple[Tensor, Tensor]:
    """What the text head is given of each sentence, and what the transformer makes of it."""
    said, common = [], []
    for start in range(0, len(words.states), batch):
        states, present = padded(words.states[start : start + batch])
        said.append(mean_and_most(states, present))
        text = model.text_tokens(states, present)
        common.append(model.share(model.transformer(None, text).identity))
    return torch.cat(said), torch.cat(common)


def padded(states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Words' states ``(L, 384)`` of several sentences as ``(B, L, 384)`` float32, and which are
    there, ``(B, L)`` bool."""
    lengths = torch.tensor([len(one) for one in states])
    together = pad_sequence(list(states), batch_first=True).float()
    return together, torch.arange(together.shape[1]) < lengths[:, None]


def _losses(
    model: FusionModel, draw: "_Draw", recipe: FusionRecipe, step: int
) -> dict[str, Tensor]:
    losses: dict[str, Tensor] = {}
    if draw.words is not None and (draw.scenes is None or step % recipe.words_every == 0):
        losses |= _of_words(model, draw, recipe)
    if draw.scenes is not None:
        losses |= _of_scenes(model, draw, recipe)
    return losses


def _of_words(model: FusionModel, draw: "_Draw", recipe: FusionRecipe) -> dict[str, Tensor]:
    shown, sentences = draw.pairs()
    with autocast("cpu", recipe.precision):
        x2 = draw.pictures.second.read([0] * len(shown), shown.tolist())
        tokens = model.picture_tokens(x2)
        of_picture = model.shared(model.transformer(tokens, None))
        of_text = model.describe(*padded(sentences))
    labels = torch.from_numpy(draw.pictures.people[shown])
    of_picture, of_text = of_picture.float(), of_text.float()
    return {
        "words": stage1_loss(of_picture / _TEMPERATURE, of_text, labels),
        "matching": recipe.matching * similarity_distribution_matching(of_picture, of_text, labels),
    }


def _of_queries(
    model: FusionModel, draw: "_Draw", recipe: FusionRecipe, seen: Seen, shown: NDArray[np.int64]
) -> dict[str, Tensor]:
    """Pictures with words, as queries for the same people before other cameras."""
    described, sentences = draw.described(shown)
    if len(described) < _FEWEST or seen.tokens is None:
        return {}
    picture = model.transformer.picture_tokens(seen.tokens[described])
    assert picture is not None
    with autocast("cpu", recipe.precision):
        text = model.text_tokens(*padded(sentences))
        sides = dropped(picture, text, recipe.missing, draw.generator)
        states = model.transformer.read(len(described), *sides)
        queries = model.fused_with(seen.vectors[described].detach(), states).float()
    labels = torch.from_numpy(draw.pictures.people[shown[described]])
    found = draw.pictures.start[draw.elsewhere(shown[described])]
    together = torch.cat([queries, found])
    return {
        "queries": stage1_loss(queries / _TEMPERATURE, found, labels),
        "triplet": batch_hard_triplet(together, torch.cat([labels, labels]), recipe.margin),
    }


def _of_scenes(model: FusionModel, draw: "_Draw", recipe: FusionRecipe) -> dict[str, Tensor]:
    assert draw.scenes is not None
    scenes, chosen = draw.scenes, draw.composed()
    read = [0] * len(chosen), chosen.tolist()
    with autocast("cpu", recipe.precision):
        seen = model.see_maps(scenes.first.read(*read), scenes.second.read(*read))
    shown = scenes.pictures[chosen]
    losses = _of_bodies(seen, scenes, chosen) if model.options.mask else {}
    if draw.words is not None and model.options.fusion:
        losses |= _of_queries(model, draw, recipe, seen, shown)
    vectors = seen.vectors if seen.body is None else F.normalize(seen.body.vectors, dim=1)
    return losses | _of_people(vectors, shown, draw.pictures, draw.proxies, recipe)


def _of_people(
    vectors: Tensor,
    shown: NDArray[np.int64],
    pictures: Pictures,
    proxies: CameraProxies,
    recipe: FusionRecipe,
) -> dict[str, Tensor]:
    """Unit vectors ``(B, 256)`` of what may be hidden of the pictures ``shown (B,)``."""
    rows = torch.from_numpy(shown)
    wanted, vectors = pictures.start[rows], vectors.float()
    return {
        "people": recipe.people * cosine_distillation(vectors, wanted),
        "similarity": recipe.similarity * similarity_distillation(vectors, wanted),
        "elsewhere": recipe.elsewhere * proxies.loss(vectors, rows),
    }


def _of_bodies(seen: Seen, scenes: Scenes, chosen: NDArray[np.int64]) -> dict[str, Tensor]:
    assert seen.body is not None
    masks = torch.from_numpy(scenes.masks[chosen])[:, None].float()  # (B, 1, H, W)
    parts = torch.from_numpy(scenes.parts[chosen]).long()  # (B, 16, 8)
    fine = F.interpolate(seen.body.mask.float(), masks.shape[2:], mode="bilinear")
    return {"mask": mask_loss(fine, masks), "parts": 0.35 * part_loss(seen.body.parts, parts)}


def _learning(model: FusionModel) -> list[torch.nn.Parameter]:
    """All parameters but the fused model's, which are frozen."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith("fused."))
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _groups(model: FusionModel) -> list[dict[str, Any]]:
    """What learns, with how many times the rate: the factors of guidance, which begin at zero and
    have far to go, learn faster, and the late stages slower."""
    factors = [*model.guidance.parameters(), model.foreground.share]
    late = list(model.late.parameters())
    others = [one for one in _learning(model) if all(one is not other for other in factors + late)]
    return [
        {"params": factors, "factor": _FACTORS, "weight_decay": 0.0},
        {"params": late, "factor": _LATE, "weight_decay": 0.0},
        {"params": others, "factor": 1.0},
    ]


class _Draw:
    """What meets in a batch."""

    def __init__(
        self,
        pictures: Pictures,
        words: Words | None,
        scenes: Scenes | None,
        recipe: FusionRecipe,
    ) -> None:
        if words is None and scenes is None:
            raise ValueError("there are neither words nor composed pictures to learn from")
        self.pictures, self.words, self.scenes = pictures, words, scenes
        self.proxies = pictures.proxies()
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self._random = np.random.default_rng(recipe.seed)
        self._recipe = recipe
        self._of_person = _grouped(pictures.people)
        self._described: dict[int, NDArray[np.int64]] = {}
        if words is not None:
            described = np.array([pictures.people[shown[0]] for shown in words.shown])
            self._described = _grouped(described)

    def pairs(self) -> tuple[NDArray[np.int64], list[Tensor]]:
        """Pictures ``(B,)``, each of another person, and the words of a sentence about each."""
        shown, sentences = self.rows()
        return shown, self._cut(sentences)

    def rows(self) -> tuple[NDArray[np.int64], list[int]]:
        """The same, and the index of the sentence."""
        assert self.words is not None
        count = min(self._recipe.pairs, len(self._described))
        people = self._random.choice(list(self._described), count, replace=False)
        sentences = [int(self._random.choice(self._described[one])) for one in people.tolist()]
        shown = [int(self._random.choice(self.words.shown[one])) for one in sentences]
        return np.array(shown), sentences

    def described(self, shown: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[Tensor]]:
        """Which of the pictures ``(B,)`` show a person whom words describe, and such words."""
        people = self.pictures.people[shown]
        which = np.flatnonzero([int(one) in self._described for one in people])
        sentences = [self._random.choice(self._described[int(one)]) for one in people[which]]
        return which, self._cut(sentences)

    def _cut(self, sentences: Sequence[int]) -> list[Tensor]:
        """The first words of sentences: few are longer, and one makes a batch as long as it is."""
        assert self.words is not None
        return [self.words.states[one][: self._recipe.longest] for one in sentences]

    def elsewhere(self, shown: NDArray[np.int64]) -> NDArray[np.int64]:
        """Another picture ``(B,)`` of each one's person, of another camera where there is one."""
        return np.array([self._other(int(one)) for one in shown])

    def composed(self) -> NDArray[np.int64]:
        """Composed pictures ``(B,)``."""
        assert self.scenes is not None
        return self._random.integers(len(self.scenes.pictures), size=self._recipe.scenes)

    def hidden_and_plain(self) -> tuple[Tensor, NDArray[np.int64]]:
        """Second maps ``(B, C, 16, 8)`` of composed pictures, and of a third as many that are
        unchanged, and which pictures they are ``(B,)``."""
        assert self.scenes is not None
        chosen = self.composed()
        plain = self._random.integers(len(self.pictures.people), size=len(chosen) // 3)
        maps = [
            self.scenes.second.read([0] * len(chosen), chosen.tolist()),
            self.pictures.second.read([0] * len(plain), plain.tolist()),
        ]
        return torch.cat(maps), np.concatenate([self.scenes.pictures[chosen], plain])

    def _other(self, picture: int) -> int:
        own = self._of_person[int(self.pictures.people[picture])]
        far = own[self.pictures.cameras[own] != self.pictures.cameras[picture]]
        return int(self._random.choice(far if len(far) else own))


def _grouped(labels: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    return {int(one): np.flatnonzero(labels == one) for one in np.unique(labels)}
