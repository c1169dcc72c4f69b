"""The same figures with the instructions of a processor that has AVX2 and nothing newer.

oneDNN, with which OpenVINO computes, keeps to the instructions named in its environment. Clock and
caches stay those of this processor, and what is no oneDNN kernel (decoding, numpy) uses all it has.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from reid_model.openvino_runtime import import_openvino

_LIMIT = "ONEDNN_MAX_CPU_ISA"


def rows(bench: Path, clips: str, rounds: int) -> dict[str, dict[str, float]]:
    """The rows of fusetrack, of ultralytics through OpenVINO, and of detection and decoding."""
    command = [sys.executable, str(bench), "--json", "--clips", clips, "--rounds", str(rounds)]
    command += [part for name in ("ours", "openvino", "both") for part in ("--only", name)]
    environment = {**os.environ, _LIMIT: "AVX2"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout)["systems"]
    return found


def do_without_bfloat16() -> None:
    """Where instructions are limited, let OpenVINO know of no bfloat16 and compute in float32.

    It asks the processor itself, and kernels of oneDNN for what it then chooses would be missing.
    """
    if _LIMIT not in os.environ:
        return
    core: Any = import_openvino().Core
    compile_model, get_property = core.compile_model, core.get_property
    import_model = core.import_model

    def compiled(
        self: Any, model: Any, device_name: Any = None, config: Any = None, **more: Any
    ) -> Any:
        wanted = {"INFERENCE_PRECISION_HINT": "f32", **(config or {})}
        return compile_model(self, model, device_name, wanted, **more)

    def imported(self: Any, model: Any, device_name: Any, config: Any = None) -> Any:
        wanted = {"INFERENCE_PRECISION_HINT": "f32", **(config or {})}
        return import_model(self, model, device_name, wanted)

    def asked(self: Any, *names: Any) -> Any:
        found = get_property(self, *names)
        is_list = names[-1] == "OPTIMIZATION_CAPABILITIES"
        return [one for one in found if one != "BF16"] if is_list else found

    core.compile_model, core.get_property = compiled, asked
    core.import_model = imported
