"""FusionSegReID against the fused model that it is built on, the same file with all switches off.

People of CUHK03's validation part, whom no training saw: FUSETRACK_DATA/reid/cuhk03/val. MASKS are
theirs, of scripts/person_masks.py; with them, people and things are pasted over the queries, so
that what is seen of the person is known. WORDS are of scripts/picture_words.py: the written
descriptions, made neutral, and sentences in phrasings that no training saw.

With SCENES, a folder of composed training pictures of scripts/train_fusion.py (MAPS/composed), two
new mask heads learn from them, as long and from the same pictures: one is asked by the token of the
transformer, as in the model, one by a token of its own that is the same for every picture.
"""

import argparse
import copy
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder, similarity_calibration
from pipeline.reid.words import open_text_encoder
from pipeline.search.likeness import PictureLikeness, WordsLikeness, joint
from pipeline.weights import weights_files, weights_path
from pipeline.weights.store import sha256_of
from printing import show
from reid import accuracy, kept_out
from reid_model.data import READERS
from reid_model.data.clothes import COLOURS, colour_shares
from reid_model.data.composed_pictures import LabelledPictures, Shares, composed
from reid_model.data.person_masks import PERSON, UNKNOWN, read_masks
from reid_model.data.reid_set import ReidImage
from reid_model.embedder import Embedder
from reid_model.evaluation import evaluate, evaluate_distances
from reid_model.networks.fusion import FusionModel
from reid_model.networks.mask_head import MaskHead
from reid_model.networks.sentence_text import read_sentence_text, sentence_tokens
from reid_model.preprocess import normalise
from reid_model.query_encoder import QueryEncoder
from reid_model.trained_embedder import trained_spec
from reid_model.training.fusion_files import WordsFit, load_fusion
from reid_model.training.fusion_losses import intersection_over_union, mask_loss
from reid_model.training.kept_maps import KeptMaps
from reid_model.training.model_files import save_model
from trackers.association.appearance import Calibration

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

FUSION = "fusion-people"
#: A person or a thing is before every person.
HIDDEN = Shares(other_background=0.0, behind=1.0, filmed=0.0)
BATCH = 8
#: Whose pictures are compared with pictures too: all of Market-1501, CUHK01's people kept out.
OTHER_SETS = ("market1501", "cuhk01")
NOWHERE = -1  # the camera of words
# How many hidden queries are masked; new mask heads learn for how many batches of how many composed
# pictures, at this rate.
MASKED = 160
HEAD_STEPS, HEAD_PICTURES, HEAD_RATE = 150, 16, 2e-3
_WORD = re.compile("[a-z]+")


@dataclass(frozen=True, slots=True)
class CropSet:
    """BGR pictures, who is on them and by which camera."""

    images: list[NDArray[np.uint8]]
    people: Labels
    cameras: Labels


@dataclass(frozen=True, slots=True)
class Hidden:
    """Queries behind people and things, and the mask ``(N, 128, 64)`` of what is seen of each."""

    crops: CropSet
    masks: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Described:
    """Sentences, and whom each describes."""

    sentences: list[str]
    people: Labels


def fused_model(path: Path) -> Embedder:
    """The fused model in a file of FusionSegReID, opened as by itself."""
    file = load_fusion(path)
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "fused.safetensors"
        save_model(alone, file.model.fused, file.recipe, file.similarity, torch.float16)
        return open_embedder(ReidConfig(model=str(alone)), "cpu")


def read(images: Sequence[ReidImage]) -> CropSet:
    """The pictures of files."""
    return CropSet(
        [np.asarray(cv2.imread(str(image.path)), np.uint8) for image in images],
        np.array([image.identity for image in images]),
        np.array([image.camera for image in images]),
    )


def hidden(data: Path, masks: Path, queries: Sequence[ReidImage], seed: int) -> Hidden:
    """The queries whose masks are trusted, each behind another of these people or a thing."""
    pictures = LabelledPictures(data, read_masks(masks))
    own = [one for one in queries if str(one.path.relative_to(data)) in pictures.rows]
    rows = [pictures.rows[str(one.path.relative_to(data))] for one in own]
    found = [
        composed(pictures[row], pictures, [], HIDDEN, np.random.default_rng([seed, number]))
        for number, row in enumerate(rows)
    ]
    crops = CropSet(
        [one.image for one in found],
        np.array([one.identity for one in own]),
        np.array([one.camera for one in own]),
    )
    return Hidden(crops, np.stack([one.mask[::2, ::2] for one in found]))


def described(file: Path, key: str) -> Described:
    """The sentences of CUHK03's validation people in a file of scripts/picture_words.py."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    wanted = [row for row in rows if row["dataset"] == "cuhk03" and row["part"] == "test"]
    texts = [(text, int(row["identity"])) for row in wanted for text in row.get(key, [])]
    return Described([text for text, _ in texts], np.array([who for _, who in texts]))


def scores(query: Vectors, crops: CropSet, gallery: Vectors, known: CropSet) -> tuple[float, float]:
    """Rank 1 and mAP."""
    found = evaluate(query, crops.people, crops.cameras, gallery, known.people, known.cameras)
    return round(float(found.cmc[0]), 4), round(found.mean_average_precision, 4)


def of_words(
    query: Vectors, words: Described, gallery: Vectors, known: CropSet
) -> tuple[float, float]:
    """Rank 1 and mAP of sentences among all pictures."""
    nowhere = np.full(len(words.people), NOWHERE)
    found = evaluate(query, words.people, nowhere, gallery, known.people, known.cameras)
    return round(float(found.cmc[0]), 4), round(found.mean_average_precision, 4)


def chance(words: Described, known: CropSet, seed: int = 0) -> tuple[float, float]:
    """The same of vectors drawn by chance."""
    random = np.random.default_rng(seed)
    query, gallery = (
        _unit(random.normal(size=(count, 64))) for count in (len(words.people), len(known.people))
    )
    return of_words(query, words, gallery, known)


def guided_masks(
    model: FusionModel, images: Sequence[NDArray[np.uint8]], path: Path
) -> torch.Tensor:
    """What the model takes for the person: ``(N, 128, 64)`` bool."""
    spec, found = trained_spec(load_fusion(path).recipe), []
    for start in range(0, len(images), BATCH):
        pixels = torch.from_numpy(normalise(np.stack(images[start : start + BATCH]), spec))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            body = model.see(pixels).body
        assert body is not None
        found.append(_fine(body.mask))
    return torch.cat(found)


def _fine(logits: torch.Tensor) -> torch.Tensor:
    return F.interpolate(logits.float(), (128, 64), mode="bilinear")[:, 0] > 0


def overlap(found: torch.Tensor, masks: NDArray[np.int8]) -> tuple[float, float]:
    """gIoU and cIoU over the pixels that are known."""
    truth = torch.from_numpy(masks)
    giou, ciou = intersection_over_union(found & (truth != UNKNOWN), truth == PERSON)
    return round(giou, 4), round(ciou, 4)


def milliseconds(embedders: Sequence[Embedder], images: list[NDArray[np.uint8]]) -> list[float]:
    """Each one's median time of a crop over batches of 8, in turns, the first few left out."""
    took: list[list[float]] = [[] for _ in embedders]
    for start in range(0, 40 * BATCH, BATCH):
        for embedder, times in zip(embedders, took, strict=True):
            begin = perf_counter()
            embedder.embed([images[one % len(images)] for one in range(start, start + BATCH)])
            times.append(perf_counter() - begin)
    return [1000 * median(times[5:]) / BATCH for times in took]


def attribute_words(file: Path, images: Sequence[ReidImage], data: Path) -> list[str]:
    """What the attribute network and the colours say of each picture, '' where nothing."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    said = {row["name"]: (row["sentences"] or [""])[0] for row in rows if row["name"]}
    return [said.get(str(image.path.relative_to(data)), "") for image in images]


def plain_sentences(texts: Sequence[str]) -> Vectors:
    """MiniLM's own vectors of sentences: ``(N, 384)``, unit."""
    weights, tokenizer = sorted(weights_files("all-minilm-l6-v2"))
    encoder, found = read_sentence_text(weights, 1), []
    for start in range(0, len(texts), 64):
        with torch.inference_mode():
            found.append(encoder.sentences(sentence_tokens(tokenizer, texts[start : start + 64])))
    return _unit(torch.cat(found).numpy())


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def colours_of_pictures(images: Sequence[NDArray[np.uint8]]) -> Vectors:
    """The shares of the basic colours in the middle of each picture: ``(N, 11)``, square roots, so
    that a product is Bhattacharyya's."""
    middle = [one[len(one) // 6 :, one.shape[1] // 4 : -one.shape[1] // 4] for one in images]
    return np.sqrt([colour_shares(one.reshape(-1, 3)) for one in middle]).astype(np.float32)


def colours_of_words(sentences: Sequence[str]) -> Vectors:
    """The basic colours that sentences name: ``(N, 11)``, unit, or zero where they name none."""
    words = [_WORD.findall(one.lower().replace("gray", "grey")) for one in sentences]
    return _unit(np.array([[float(colour in one) for colour in COLOURS] for one in words]))


@torch.no_grad()
def _heads_input(
    model: FusionModel, x1: torch.Tensor, x2: torch.Tensor
) -> tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
    """What a mask head is given: the maps of three stages, and the token that asks."""
    with torch.autocast("cpu", torch.bfloat16):
        x3 = model.fused.trunk.third(x2)
        asked = model.transformer(model.picture_tokens(x2), None).segmentation
    return (x1.float(), x2.float(), x3.float()), asked.float()


def new_heads(
    model: FusionModel, scenes: Path, seed: int
) -> tuple[MaskHead, MaskHead, torch.Tensor]:
    """Two mask heads that learned from composed pictures, guided and not; the token of that."""
    with np.load(scenes / "labels.npz") as kept:
        masks = kept["masks"]
    encoder = model.fused.trunk.encoder
    (height, width), (_, one, two, three, _) = encoder.image_size, encoder.channels
    kept_maps = [
        KeptMaps(scenes / name, 1, len(masks), (channels, height // smaller, width // smaller))
        for name, channels, smaller in (("first", one, 8), ("second", two, 16))
    ]
    torch.manual_seed(seed)
    guided = MaskHead((one, two, three), model.options.width)
    unguided = copy.deepcopy(guided)
    token = torch.zeros(1, model.options.width, requires_grad=True)
    learning = [*guided.parameters(), *unguided.parameters(), token]
    optimiser, random = torch.optim.AdamW(learning, HEAD_RATE), np.random.default_rng(seed)
    for step in range(HEAD_STEPS):
        optimiser.param_groups[0]["lr"] = HEAD_RATE * (1 - step / HEAD_STEPS)
        rows = random.integers(len(masks), size=HEAD_PICTURES).tolist()
        maps, asked = _heads_input(model, *(one.read([0] * len(rows), rows) for one in kept_maps))
        truth = torch.from_numpy(masks[rows])[:, None].float()
        found = guided(maps, asked), unguided(maps, token.expand(len(rows), -1))
        size = list(truth.shape[2:])
        losses = [mask_loss(F.interpolate(o, size, mode="bilinear"), truth) for o in found]
        optimiser.zero_grad()
        sum(losses).backward()
        optimiser.step()
    return guided.eval(), unguided.eval(), token.detach()


def of_heads(
    model: FusionModel, path: Path, scenes: Path, found: Hidden, seed: int
) -> dict[str, tuple[float, float]]:
    """gIoU and cIoU of both heads on hidden queries."""
    guided, unguided, token = new_heads(model, scenes, seed)
    spec, logits = trained_spec(load_fusion(path).recipe), ([], [])
    for start in range(0, len(found.crops.images), BATCH):
        images = np.stack(found.crops.images[start : start + BATCH])
        with torch.inference_mode():
            with torch.autocast("cpu", torch.bfloat16):
                x1, x2 = model.fused.trunk.early_maps(torch.from_numpy(normalise(images, spec)))
            maps, asked = _heads_input(model, x1, x2)
            logits[0].append(_fine(guided(maps, asked)))
            logits[1].append(_fine(unguided(maps, token.expand(len(images), -1))))
    return {
        name: overlap(torch.cat(of), found.masks)
        for name, of in zip(("a new head, guided", "a new head, unguided"), logits, strict=True)
    }


def in_pairs(crops: CropSet, words: Described) -> tuple[list[int], list[str]]:
    """The queries whose people are described, and a sentence about each in turn."""
    own = {int(who): np.flatnonzero(words.people == who) for who in np.unique(words.people)}
    rows = [row for row, who in enumerate(crops.people) if int(who) in own]
    turns = [own[int(crops.people[row])] for row in rows]
    return rows, [
        words.sentences[turn[row % len(turn)]] for row, turn in zip(rows, turns, strict=True)
    ]


def as_searched(
    pictures: Vectors,
    words: Vectors,
    gallery: Mapping[str, Vectors],
    calibrations: tuple[Calibration, WordsFit],
    people: int,
) -> NDArray[np.float64]:
    """The probability ``(Q, G)`` that `fusetrack search` gives pictures with words."""
    known, texts = gallery["fusion"], gallery["words"]
    fit, found = calibrations[1], []
    for picture, said in zip(pictures, words, strict=True):
        likeness = PictureLikeness(picture, calibrations[0])
        likeness.learn(known)
        crops = np.ones(len(known), np.int64)
        sides = [
            likeness.probabilities(known, crops, people),
            WordsLikeness(said, fit.slope, fit.midpoint).probabilities(texts, crops, people),
        ]
        found.append(joint(sides))
    return np.stack(found)


def of_hidden(
    model: str,
    encoder: QueryEncoder,
    fusion: Embedder,
    fused: Embedder,
    found: Hidden,
    words: Described,
    gallery: Mapping[str, Vectors],
    known: CropSet,
) -> dict[str, tuple[float, float]]:
    """Hidden queries by their picture; and those whose people are described by picture, by words,
    and by both."""
    by_fused, by_picture = fused.embed(found.crops.images), fusion.embed(found.crops.images)
    rows, sentences = in_pairs(found.crops, words)
    images = [found.crops.images[row] for row in rows]
    own = CropSet(images, found.crops.people[rows], found.crops.cameras[rows])
    both = np.concatenate(
        [
            encoder.encode_both(images[start : start + 16], sentences[start : start + 16])
            for start in range(0, len(rows), 16)
        ]
    )
    said = encoder.encode_text(sentences)
    calibrations = similarity_calibration(ReidConfig(model=model)), encoder.calibration
    people = len(np.unique(known.people))
    searched = as_searched(by_picture[rows], said, gallery, calibrations, people)
    ranked = evaluate_distances(-searched, own.people, own.cameras, known.people, known.cameras)
    return {
        "hidden, fused model": scores(by_fused, found.crops, gallery["fused"], known),
        "hidden": scores(by_picture, found.crops, gallery["fusion"], known),
        "hidden and described, picture alone, fused model": scores(
            by_fused[rows], own, gallery["fused"], known
        ),
        "hidden and described, picture alone": scores(
            by_picture[rows], own, gallery["fusion"], known
        ),
        "hidden and described, words alone": scores(said, own, gallery["words"], known),
        "hidden and described, both in one vector": scores(both, own, gallery["fusion"], known),
        "hidden and described, both as searched": (
            round(float(ranked.cmc[0]), 4),
            round(ranked.mean_average_precision, 4),
        ),
    }


def of_other_sets(
    folder: Path, sets: Sequence[str], embedders: Mapping[str, Embedder], keep: Path | None
) -> dict[str, tuple[float, float]]:
    """Pictures of other sets by each network; vectors are kept in the folder ``keep``."""
    found = {}
    for name in sets:
        whole = name == "market1501"
        people = READERS[name](folder / name) if whole else kept_out(folder, name)
        for which, embedder in embedders.items():
            start = None if keep is None else keep / f"{Path(which).stem}-{name}"
            of_set = accuracy(embedder, people, start)
            figures = of_set[f"{people.name}_r1"], of_set[f"{people.name}_map"]
            found[f"picture to picture, {name}, {which}"] = figures
    return found


def measure(
    data: Path,
    model: str,
    masks: Path,
    written: Path,
    made: Path,
    seeds: Sequence[int],
    scenes: Path | None = None,
    sets: Sequence[str] = OTHER_SETS,
    keep: Path | None = None,
) -> dict[str, dict[str, object]]:
    """All figures, by what was measured; ``scenes`` are those that new mask heads learn from. The
    vectors of the other ``sets`` are kept in ``keep``."""
    people = READERS["cuhk03"](data / "reid" / "cuhk03")
    fused = fused_model(weights_path(model, kind="reid"))
    fusion = open_embedder(ReidConfig(model=model), "cpu")
    encoder, path = open_text_encoder(model), weights_path(model, kind="reid")
    of_weights = keep and keep / sha256_of(path)[:12]
    if of_weights:
        of_weights.mkdir(parents=True, exist_ok=True)
    query, gallery = read(people.query), read(people.gallery)
    everything = fusion.describe(query.images + gallery.images)
    texts = everything.text_vectors
    assert texts is not None
    count = len(query.people)
    of = {
        "fused": fused.embed(gallery.images),
        "fusion": everything.vectors[count:],
        "words": texts[count:],
    }
    known = CropSet(
        [],
        np.concatenate([query.people, gallery.people]),
        np.concatenate([query.cameras, gallery.cameras]),
    )
    rows: dict[str, tuple[float, float]] = {
        "picture to picture, fused model": scores(
            fused.embed(query.images), query, of["fused"], gallery
        ),
        "picture to picture": scores(everything.vectors[:count], query, of["fusion"], gallery),
    }
    seen = colours_of_pictures(query.images + gallery.images)
    said = plain_sentences(attribute_words(made, [*people.query, *people.gallery], data))
    for name, words in (
        ("written", described(written, "sentences")),
        ("held-out phrasings", described(made, "held_out")),
    ):
        rows[f"words to picture, {name}"] = of_words(
            encoder.encode_text(words.sentences), words, texts, known
        )
        rows[f"words to picture, {name}: attributes by MiniLM"] = of_words(
            plain_sentences(words.sentences), words, said, known
        )
        rows[f"words to picture, {name}: colours"] = of_words(
            colours_of_words(words.sentences), words, seen, known
        )
        rows[f"words to picture, {name}: chance"] = chance(words, known)
    rows |= of_other_sets(data / "reid", sets, {"fused model": fused, model: fusion}, of_weights)
    print(json.dumps(rows), file=sys.stderr, flush=True)
    for seed in seeds:
        found = hidden(data, masks, people.query, seed)
        of_seed = of_hidden(
            model, encoder, fusion, fused, found, described(written, "sentences"), of, gallery
        )
        own = load_fusion(path).model
        masked = Hidden(
            CropSet(found.crops.images[:MASKED], found.crops.people, found.crops.cameras),
            found.masks[:MASKED],
        )
        of_seed["mask, gIoU and cIoU"] = overlap(
            guided_masks(own, masked.crops.images, path), masked.masks
        )
        if scenes is not None:
            of_seed |= of_heads(own, path, scenes, masked, seed)
        rows |= {f"{name}, seed {seed}": value for name, value in of_seed.items()}
        print(json.dumps(rows), file=sys.stderr, flush=True)
    times = milliseconds([fused, fusion], query.images)
    return {name: {"r1": r1, "map": value} for name, (r1, value) in rows.items()} | {
        "milliseconds a crop, fused model and this": {
            "r1": round(times[0], 2),
            "map": round(times[1], 2),
        },
        "times the fused model's time": {"r1": round(times[1] / times[0], 3), "map": ""},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=FUSION)
    parser.add_argument("--masks", type=Path, required=True, help="of CUHK03's validation part")
    parser.add_argument("--written", type=Path, required=True, help="written descriptions")
    parser.add_argument("--made", type=Path, required=True, help="sentences made of pictures")
    parser.add_argument("--scenes", type=Path, help="composed training pictures, for mask heads")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="*", choices=OTHER_SETS, default=OTHER_SETS)
    parser.add_argument("--keep", type=Path, help="vectors of Market-1501, to go on after a stop")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench fusion: set FUSETRACK_DATA to a folder that contains reid/")
    found = measure(
        Path(data),
        arguments.model,
        arguments.masks,
        arguments.written,
        arguments.made,
        range(arguments.seeds),
        arguments.scenes,
        arguments.sets,
        arguments.keep,
    )
    show(found, "measured", ["r1", "map"], as_json=arguments.json)


if __name__ == "__main__":
    main()
