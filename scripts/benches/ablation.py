"""Ablation of the paper's claims at a small scale: the effect of texts, TGI and MSCSA.

Trains and evaluates on Market-1501; reads FUSETRACK_DATA/reid (market1501/, cuhk01/, cuhk03/,
captions/). All variants start from the same pair of encoders, whose image encoder starts from
--start (default: the trunk of a network included in fusetrack). Each training has a folder in
--out; the same command resumes after a stop. Options override the budget of the recipe ablation.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ablating.ablation import (
    VARIANTS,
    Ablation,
    first_identities,
    run_ablation,
    text_figures,
)
from ablating.claims import Claim, Figure, Row, claims_of, rows_of
from pipeline.devices import resolve_device
from pipeline.errors import UserError
from pipeline.reid.recipe_file import load_recipe
from pipeline.runtime.stopping import Stop, signals
from pipeline.weights import weights_path
from reid_model.data import READERS
from reid_model.data.captions import read_captions
from reid_model.training.recipe import Recipe
from reid_model.training.state import Stopped

START = "imagenet"
SETS = ("market1501", "cuhk01", "cuhk03")


def main() -> None:
    """Run the missing trainings and print the results."""
    options = _options()
    stop = Stop()
    try:
        with signals(stop):
            ablation = _ablation(options, stop)
            seeds = [ablation.recipe.seed + number for number in range(options.seeds)]
            outcomes = run_ablation(ablation, options.variants, seeds)
            text = text_figures(ablation.out)
    except (UserError, ValueError, OSError) as error:
        sys.exit(f"bench ablation: {error}")
    except Stopped:
        print("stopped; the same command resumes", file=sys.stderr)
        sys.exit(128 + (stop.signal or signal.SIGINT))
    rows = rows_of(outcomes)
    claims = claims_of(rows)
    budget = _budget(ablation, seeds)
    if options.json:
        print(json.dumps(_as_data(budget, text, rows, claims)))
    else:
        _print(budget, text, rows, claims)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the trainings")
    add(
        "--start",
        default=START,
        help="start of the pair: a model or imagenet; default: %(default)s",
    )
    add("--width", type=int, help="channels of the stem; 64 for ResNet-50")
    add("--image-size", type=_size, metavar="HxW", help="pixels, such as 128x64")
    add("--epochs", type=int, help="epochs of stage 2, the image encoder")
    add("--stage1-epochs", type=int, help="epochs of stage 1, the prompts")
    add("--mode", choices=("A", "B"), help="mode of stage 1: B also trains MSCSA, at a higher cost")
    add("--identities", type=int, help="train on the first N identities only, for a quick test")
    add("--seeds", type=int, default=1, help="number of trainings of each variant")
    add("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    add("--device", default="auto")
    add("--workers", type=int, default=2, help="processes that load pictures")
    add("--json", action="store_true")
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    height, width = (int(side) for side in text.split("x"))
    return height, width


def _ablation(options: argparse.Namespace, stop: Stop) -> Ablation:
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        raise UserError("set FUSETRACK_DATA to a folder that contains reid/")
    root = Path(data) / "reid"
    sets = {name: READERS[name](root / name) for name in SETS}
    sets["market1501"] = first_identities(sets["market1501"], options.identities)
    return Ablation(
        recipe=_recipe(options),
        reid_set=sets["market1501"],
        captions=read_captions(root, sets),
        out=options.out,
        device=resolve_device(options.device),
        workers=options.workers,
        say=lambda line: print(line, file=sys.stderr, flush=True),
        stop=stop.input.is_set,
        start="imagenet" if options.start == "imagenet" else weights_path(options.start, "reid"),
    )


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe ablation, changed by the options."""
    recipe = load_recipe("ablation")
    return replace(
        recipe,
        model=_changed(recipe.model, width=options.width, image_size=options.image_size),
        stage1=_changed(recipe.stage1, epochs=options.stage1_epochs, mode=options.mode),
        stage2=_changed(recipe.stage2, epochs=options.epochs),
    )


def _changed(part: Any, **values: object) -> Any:
    return replace(part, **{key: value for key, value in values.items() if value is not None})


def _budget(ablation: Ablation, seeds: Sequence[int]) -> dict[str, Any]:
    recipe = ablation.recipe
    return {
        "width": recipe.model.width,
        "image_size": list(recipe.model.image_size),
        "stage1_epochs": recipe.stage1.epochs,
        "stage1_mode": recipe.stage1.mode,
        "epochs": recipe.stage2.epochs,
        "identities": len({image.identity for image in ablation.reid_set.train}),
        "pictures": len(ablation.reid_set.train),
        "seeds": list(seeds),
        "device": ablation.device,
    }


def _as_data(
    budget: dict[str, Any],
    text: dict[str, float],
    rows: dict[str, Row],
    claims: Sequence[Claim],
) -> dict[str, Any]:
    return {
        "budget": budget,
        "text_encoder": text,
        "variants": {name: asdict(row) for name, row in rows.items()},
        "claims": [asdict(claim) for claim in claims],
    }


def _print(
    budget: dict[str, Any],
    text: dict[str, float],
    rows: dict[str, Row],
    claims: Sequence[Claim],
) -> None:
    console = Console(soft_wrap=True, highlight=False)
    table = Table("variant", "R1", "mAP", "R5", "parameters", "minutes")
    for name, row in rows.items():
        figures = (_shown(one) for one in (row.rank1, row.mean_average_precision, row.rank5))
        table.add_row(name, *figures, f"{row.parameters:,}", f"{row.minutes:.1f}")
    console.print(table)
    console.print("budget: " + ", ".join(f"{name} {value}" for name, value in budget.items()))
    console.print("text encoder: " + ", ".join(f"{name} {value}" for name, value in text.items()))
    for claim in claims:
        lead = "" if claim.lead is None else f", by {100 * claim.lead:+.1f} points of mAP"
        console.print(f"{claim.text}: {claim.verdict}{lead}")
    if len(budget["seeds"]) == 1:
        console.print("one seed: the variation between trainings is unknown")


def _shown(figure: Figure) -> str:
    spread = "" if figure.spread is None else f" ± {figure.spread:.3f}"
    return f"{figure.mean:.3f}{spread}"


if __name__ == "__main__":
    main()
