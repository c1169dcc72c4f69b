"""Ablation of the paper's claims at a small scale: what texts, TGI and MSCSA add.

Every variant starts from the open network that comes with fusetrack; its last stage and the new
parts train on Market-1501, on kept maps, and are measured on some of its test people and on the
people of CUHK03's val. Reads FUSETRACK_DATA/reid (market1501/, cuhk01/, cuhk03/, captions/) and
the weights all-minilm-l6-v2. --out keeps the maps and a file for each training; the same command
goes on after a stop.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ablating.ablation import (
    VARIANTS,
    Ablation,
    TrainingOutcome,
    budget,
    late_features,
    run_ablation,
    start_metrics,
)
from ablating.claims import Claim, Figure, Row, claims_of, rows_of
from ablating.words import fit_to_pictures, learned_texts
from pipeline.errors import UserError
from pipeline.reid.models import embeddings, open_model
from pipeline.weights import weights_files, weights_path
from reid_model.atomic_file import replacing
from reid_model.data import READERS
from reid_model.data.captions import read_captions
from reid_model.data.reid_set import ReidImage, ReidSet, class_labels
from reid_model.networks.fused import FusedModel
from reid_model.networks.sentence_text import read_sentence_text
from reid_model.training.captions import caption_pictures
from reid_model.training.kept_maps import KeptMaps, keep_versions
from reid_model.training.late_stages import Known, LateRecipe, late_start
from reid_model.training.recipe import Stage1Recipe

START = "omni-scale-open"
SETS = ("market1501", "cuhk01", "cuhk03")
VERSIONS = 3


def main() -> None:
    """Run the missing trainings and print the results."""
    options = _options()
    try:
        ablation, words = _ablation(options)
        outcomes = run_ablation(ablation, options.variants, range(1, options.seeds + 1))
        start = start_metrics(ablation)
    except (UserError, ValueError, OSError) as error:
        sys.exit(f"bench ablation: {error}")
    rows = rows_of(outcomes)
    claims = claims_of(rows)
    if options.json:
        about = {"budget": budget(ablation), "text_encoder": words, "start": asdict(start)}
        found = {name: asdict(row) for name, row in rows.items()}
        print(json.dumps({**about, "variants": found, "claims": [asdict(one) for one in claims]}))
    else:
        _print(words, start, rows, claims)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for maps and trainings")
    add("--identities", type=int, default=100, help="train on the first N identities")
    add("--test-identities", type=int, default=50, help="of Market-1501's test part")
    add("--steps", type=int, default=40, help="batches of a training")
    add("--stage1-epochs", type=int, default=10, help="epochs of stage 1, the prompts")
    add("--seeds", type=int, default=3, help="number of trainings of each variant")
    add("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    add("--json", action="store_true")
    return parser.parse_args()


def _ablation(options: argparse.Namespace) -> tuple[Ablation, dict[str, float]]:
    """The settings of the variants, and how well the text encoder finds people."""
    sets = _read_sets()
    market = first_identities(sets["market1501"], options.identities, options.test_identities)
    path = weights_path(START, kind="reid")
    model = late_start(path, 0)[0]
    kept = _maps(options.out / "maps-train", model, market.train, VERSIONS)
    tests = [(one, _test_maps(options.out, model, one)) for one in (market, sets["cuhk03"])]
    classes = torch.from_numpy(class_labels(market.train))
    features = late_features(model, kept, len(market.train))
    texts, words = _texts(options, sets, features, classes)
    vectors = F.normalize(features, dim=1)
    ablation = Ablation(
        recipe=LateRecipe(
            steps=options.steps,
            identities=8,
            warm_up=options.steps // 10,
            average=0.98,
            third_stage=False,
        ),
        start=lambda modules: late_start(path, modules)[0],
        images=market.train,
        classes=classes,
        kept=kept,
        versions=VERSIONS,
        known=Known(vectors, vectors),
        texts=texts,
        tests=tests,
        out=options.out,
        say=_say,
    )
    return ablation, words


def _read_sets() -> dict[str, ReidSet]:
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        raise UserError("set FUSETRACK_DATA to a folder that contains reid/")
    return {name: READERS[name](Path(data) / "reid" / name) for name in SETS}


def first_identities(people: ReidSet, train: int, test: int) -> ReidSet:
    """The first ``train`` people to train on, and the first ``test`` of those with queries."""
    learned = set(sorted({image.identity for image in people.train})[:train])
    tested = set(sorted({image.identity for image in people.query})[:test])
    return replace(
        people,
        train=tuple(image for image in people.train if image.identity in learned),
        query=tuple(image for image in people.query if image.identity in tested),
        gallery=tuple(image for image in people.gallery if image.identity in tested),
    )


def _maps(folder: Path, model: FusedModel, images: Sequence[ReidImage], versions: int) -> KeptMaps:
    def tell(done: int, count: int) -> None:
        if done % 1600 == 0 or done == count:
            _say(f"{folder.name}: {done} of {count}")

    return keep_versions(folder, model.trunk, images, versions, tell)


def _test_maps(out: Path, model: FusedModel, people: ReidSet) -> KeptMaps:
    return _maps(out / f"maps-{people.name}", model, people.query + people.gallery, 1)


def _texts(
    options: argparse.Namespace, sets: dict[str, ReidSet], features: Tensor, classes: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """A text of each class, and how well the text encoder finds people, kept in a file."""
    path = options.out / f"texts-{options.identities}-{options.stage1_epochs}.safetensors"
    if not path.is_file():
        length = float(features.norm(dim=1).mean())
        weights, tokenizer = weights_files("all-minilm-l6-v2")
        text = read_sentence_text(weights, features.shape[1])
        captions = read_captions(Path(os.environ["FUSETRACK_DATA"]) / "reid", sets)
        pictures = caption_pictures(captions)
        seen = list(embeddings(open_model(START), pictures, lambda done, count: None))
        figures = fit_to_pictures(
            text, tokenizer, captions, length * torch.from_numpy(np.concatenate(seen))
        )
        recipe = Stage1Recipe(epochs=options.stage1_epochs, warm_up_epochs=1)
        texts = learned_texts(text, features, classes, recipe, 1, _say)
        numbers = torch.tensor(list(figures.values()), dtype=torch.float64)
        with replacing(path) as partial:
            save_file({"texts": texts, "figures": numbers}, partial)
    found = load_file(path)
    names = ("captions", "people", "unseen_people", "unseen_rank1")
    return found["texts"], dict(zip(names, found["figures"].tolist(), strict=True))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(
    words: dict[str, float], start: TrainingOutcome, rows: dict[str, Row], claims: Sequence[Claim]
) -> None:
    console = Console(soft_wrap=True, highlight=False)
    table = Table("variant", *(f"{name} R1 / mAP" for name in start.rank1), "parameters", "minutes")
    first = [
        f"{rank1:.3f} / {start.mean_average_precision[name]:.3f}"
        for name, rank1 in start.rank1.items()
    ]
    table.add_row("start", *first, f"{start.parameters:,}", "")
    for name, row in rows.items():
        figures = [
            f"{_shown(rank1)} / {_shown(row.mean_average_precision[one])}"
            for one, rank1 in row.rank1.items()
        ]
        table.add_row(name, *figures, f"{row.parameters:,}", f"{row.minutes:.1f}")
    console.print(table)
    console.print(
        "text encoder: " + ", ".join(f"{name} {value:g}" for name, value in words.items())
    )
    for claim in claims:
        lead = "" if claim.lead is None else f", by {100 * claim.lead:+.2f} points of mAP"
        console.print(f"{claim.set}: {claim.text}: {claim.verdict}{lead}")


def _shown(figure: Figure) -> str:
    spread = "" if figure.spread is None else f" ± {figure.spread:.3f}"
    return f"{figure.mean:.3f}{spread}"


if __name__ == "__main__":
    main()
