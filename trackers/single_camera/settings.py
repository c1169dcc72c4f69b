"""What each tracker is called, takes and is set to: names, options and defaults, without boxmot."""

from collections.abc import Mapping

Option = bool | int | float | str
Options = Mapping[str, Option | None]

#: Our options where boxmot's do not suit a still camera without embeddings. Measured on PETS 2009
#: S2.L1 view 001 with YOLO26n at 640: BoT-SORT has MOTA 0.856 with PyTorch's scores and 0.857 with
#: OpenVINO's, where no other has more than 0.851 with both; 97 % of a track's boxes are on one
#: person; and MOTA stays above 0.84 when any one threshold moves by 0.05. Its thresholds are its
#: paper's, but for new tracks (0.7 there) and the first pass (0.6 there), lower for a small
#: detector. The SORT family emits a track from its first box on (``min_hits`` 1): waiting for
#: three, as boxmot does, again after each absence, costs up to 0.08. The lowest scores are for the
#: detector to cut off: the second pass takes what there is, except in OC-SORT, where 0.05 instead
#: of 0.1 costs 0.05.
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

#: The names that a configuration may give.
TRACKER_NAMES = tuple(sorted(DEFAULTS))

#: The one to take when nothing is asked for.
DEFAULT_TRACKER = "botsort"

#: What each tracker calls its buffer, and how many frames longer than this number it really lasts.
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

#: How each tracker is told to follow a moving camera, or not to: (on, off).
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

#: boxmot's options that are ours to set, or mean nothing here.
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
    check_name(name)
    return name in TAKE_EMBEDDINGS


def needs_image(name: str, options: Options | None = None) -> bool:
    """Whether ``update`` needs the picture of every frame. Raises ValueError for an unknown name.

    Only a tracker that follows a moving camera (option ``cmc``), or one that measures distances as
    parts of the picture (``asso_func: centroid``), does.
    """
    check_name(name)
    options = options or {}
    return bool(options.get("cmc")) or options.get("asso_func") == "centroid"


def check_name(name: str) -> None:
    """Raises ValueError, with the known names, unless ``name`` is one of them."""
    if name not in DEFAULTS:
        raise ValueError(f"unknown tracker {name!r}. Known: {', '.join(TRACKER_NAMES)}")


def known_options(name: str, boxmot_defaults: Options) -> Options:
    """The options of the tracker ``name`` and what holds when they are not given."""
    known = {**boxmot_defaults, **DEFAULTS[name]}
    if name in _CAMERA_MOTION:
        known["cmc"] = False
    return {key: value for key, value in known.items() if _is_option(key)}


def _is_option(key: str) -> bool:
    # boxmot has options in capitals, and refuses them; those for turned boxes do nothing here.
    return key not in _NOT_OPTIONS and key.islower() and not key.startswith("obb_")


def boxmot_settings(
    name: str, buffer: int, fps: float, use_embeddings: bool, options: Options
) -> Options:
    """boxmot's options: our defaults, the user's, then what follows from buffer and rate.

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
        settings["frame_rate"] = 30  # the rate at which boxmot takes the buffer as it is
    if name != "sfsort":
        # Prediction by measured time, with the noise of boxmot's constants for one usual frame.
        settings |= {"variable_dt": True, "kf_reference_dt_s": 1.0 / fps}
    return settings
