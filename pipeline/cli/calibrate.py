"""`fusetrack calibrate`: fit a homography to point pairs and draw it for a visual check."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.output import say
from pipeline.errors import UserError, unknown_name


def calibrate(
    site: Annotated[Path, typer.Argument(metavar="SITE.yaml", help="Site configuration.")],
    camera: Annotated[str, typer.Option(metavar="NAME", help="Camera of the site.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .jpg or .webp.")],
    points: Annotated[
        Path | None, typer.Option(help="Point pairs (YAML); default: draw the site's calibration.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Picture or video to use instead of the camera's source.")
    ] = None,
) -> None:
    """Fit a camera's ground homography to point pairs, and draw the ground grid on its picture.

    The homography is printed to stdout as YAML for the site file, the point errors to stderr.
    """
    from pipeline.calibration.fit import MIN_PAIRS, as_yaml, fit_homography, read_pairs
    from pipeline.calibration.picture import check_suffix, draw_ground, first_picture, write_picture
    from pipeline.config.load import load_config
    from trackers.ground.view import ground_to_image

    config = load_config(site)
    if camera not in config.cameras:
        raise UserError(f"{site}: {unknown_name('camera', camera, config.cameras)}")
    check_suffix(out)
    shown = config.cameras[camera].model_copy(update={"source": source} if source else {})
    if points is None:
        view = shown.view
        if view is None:
            raise UserError(f"camera {camera} has no calibration in {site}: give --points")
        write_picture(
            out, draw_ground(first_picture(camera, shown), ground_to_image(view.projection), None)
        )
        return
    pairs = read_pairs(points, camera)
    try:
        fit = fit_homography(pairs)
    except UserError as error:
        raise UserError(f"{points}: camera {camera}: {error}") from error
    write_picture(out, draw_ground(first_picture(camera, shown), fit.homography, pairs))
    for number, (pixels, metres) in enumerate(zip(fit.pixels, fit.metres, strict=True), start=1):
        say(f"point {number}: off by {pixels:.1f} pixels, {metres:.2f} m on the ground")
    if len(fit.pixels) == MIN_PAIRS:
        say("four points always fit exactly: add a fifth to detect a mistake")
    typer.echo(as_yaml(camera, fit.homography), nl=False)
