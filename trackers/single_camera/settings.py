"""Names, options and defaults of the trackers, without importing boxmot."""

from collections.abc import Mapping

Option = bool | int | float | str
Options = Mapping[str, Option | None]

#: Our options where boxmot's do not suit a static camera without embeddings. Measured on PETS 2009
#: S2.L1 view 001 with YOLO26n at 640: BoT-SORT has MOTA 0.856 with PyTorch's scores and 0.857 with
#: OpenVINO's, while no other tracker exceeds 0.851 with both; 97 % of a track's boxes are on one
#: person; and MOTA stays above 0.84 when any single threshold changes by 0.05. Its thresholds are
#: those of its paper, except those for new tracks (0.7 in the paper) and for the first pass (0.6),
#: which are lower because the detector is small. The SORT family reports a track from its first
#: box on (``min_hits`` 1), and so does BoT-SORT, see `boxmot`: waiting for three boxes after each
#: absence, as boxmot does, costs up to 0.08. Low scores are left to the detector's threshold: the
#: second pass uses all detections, except in OC-SORT, where 0.05 instead of 0.1 costs 0.05.
DEFAULTS: dict[str, Options] = {
    "botsort": {
        "track_high_thresh": 0.5,
        "track_low_thresh": 0.05,
        "new_track_thresh": 0.65,
        "match_thresh": 0.8,
        "second_match_thresh": 0.5,
        "unconfirmed_match_thresh": 0.7,
    },
    "bytetrack": {"min_conf": 0.05, "track_thresh": 0.6, "match_thresh": 0.8},
    "ocsort": {"min_hits": 1, "use_byte": True, "iou_threshold": 0.3},
    "deepocsort": {"det_thresh": 0.5, "min_hits": 1},
    "strongsort": {"min_conf": 0.5},
    "boosttrack": {"det_thresh": 0.5, "min_hits": 1, "use_duo_boost": False},
    "hybridsort": {
        "det_thresh": 0.6,
        "low_thresh": 0.05,
        "min_hits": 1,
        "use_byte": True,
        "asso_func": "hmiou",
    },
    "occluboost": {"det_thresh": 0.5, "new_track_thresh": 0.7, "second_iou_thresh": 0.5},
    "sfsort": {"high_th": 0.6, "new_track_th": 0.65, "match_th_first": 0.5, "match_th_second": 0.5},
}

#: The tracker names that a configuration accepts.
TRACKER_NAMES = tuple(sorted(DEFAULTS))

#: The default tracker.
DEFAULT_TRACKER = "botsort"

#: The option names of each tracker's buffer, and by how many frames it lasts longer than the value.
_BUFFER: dict[str, tuple[tuple[str, ...], int]] = {
    "botsort": (("track_buffer",), 2),
    "bytetrack": (("track_buffer",), 2),
    "ocsort": (("max_age",), 1),
    "deepocsort": (("max_age",), 1),
    "strongsort": (("max_age",), 1),
    "boosttrack": (("max_age",), 1),
    "hybridsort": (("max_age",), 1),
    "occluboost": (("max_age",), 1),
    "sfsort": (("central_timeout", "marginal_timeout"), 0),
}

#: The options of each tracker that enable and disable camera motion compensation.
_CAMERA_MOTION: dict[str, tuple[Options, Options]] = {
    "botsort": ({"use_cmc": True}, {"use_cmc": False}),
    "boosttrack": ({"use_cmc": True}, {"use_cmc": False}),
    "occluboost": ({"use_cmc": True}, {"use_cmc": False}),
    "deepocsort": ({"cmc_off": False}, {"cmc_off": True}),
    "hybridsort": ({}, {"cmc_method": None}),
    "strongsort": ({}, {}),
}

#: The trackers that can use appearance.
TAKE_EMBEDDINGS = frozenset(_CAMERA_MOTION)

#: Options of boxmot that are set by us or have no effect here.
_NOT_OPTIONS = frozenset(
    {
        "track_buffer",
        "frame_rate",
        "max_age",
        "central_timeout",
        "marginal_timeout",
        "horizontal_margin",
        "vertical_margin",
        "use_embeddings",
        "use_cmc",
        "cmc_off",
        "variable_dt",
        "kf_time_unit",
        "kf_reference_dt_s",
    }
)


def takes_embeddings(name: str) -> bool:
    """Whether the tracker ``name`` can use appearance. Raises ValueError for an unknown name."""
    check_tracker_name(name)
    return name in TAKE_EMBEDDINGS


def needs_image(name: str, options: Options | None = None) -> bool:
    """Whether ``update`` needs the image of every frame. Raises ValueError for an unknown name.

    Only camera motion compensation (option ``cmc``) and distances relative to the image size
    (``asso_func: centroid``) need it.
    """
    check_tracker_name(name)
    options = options or {}
    return bool(options.get("cmc")) or options.get("asso_func") == "centroid"


def check_tracker_name(name: str) -> None:
    """Raise ValueError with the known names unless ``name`` is one of them."""
    if name not in DEFAULTS:
        raise ValueError(f"unknown tracker {name!r}. Known: {', '.join(TRACKER_NAMES)}")


def known_options(name: str, boxmot_defaults: Options) -> Options:
    """The options of the tracker ``name`` with their default values."""
    known = {**boxmot_defaults, **DEFAULTS[name]}
    if name in _CAMERA_MOTION:
        known["cmc"] = False
    return {key: value for key, value in known.items() if _is_option(key)}


def _is_option(key: str) -> bool:
    # boxmot rejects its own options in capitals; those for rotated boxes have no effect here.
    return key not in _NOT_OPTIONS and key.islower() and not key.startswith("obb_")


def boxmot_settings(
    name: str, buffer: int, fps: float, use_embeddings: bool, options: Options
) -> Options:
    """The options for boxmot: our defaults, the user's, then those derived from buffer and fps.

    ``buffer`` is in frames, at least 1.
    """
    settings = {**DEFAULTS[name], **options}
    cmc = bool(settings.pop("cmc", False))
    if name in _CAMERA_MOTION:
        settings.update(_CAMERA_MOTION[name][0 if cmc else 1])
    if name in TAKE_EMBEDDINGS - {"strongsort"}:
        settings["use_embeddings"] = use_embeddings
    keys, longer = _BUFFER[name]
    settings.update(dict.fromkeys(keys, max(0, buffer - longer)))
    if "track_buffer" in keys:
        settings["frame_rate"] = 30  # boxmot scales the buffer by frame_rate / 30
    if name != "sfsort":
        # Predict by elapsed time; boxmot's noise constants apply to one usual frame interval.
        settings |= {"variable_dt": True, "kf_reference_dt_s": 1.0 / fps}
    return settings
