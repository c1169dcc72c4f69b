"""Signals after the networks are freed."""

import subprocess
import sys

# Two networks are opened and freed, the older one first; then a signal is handled on the signal
# stack that faulthandler set up.
SCRIPT = """
import faulthandler, gc, signal
faulthandler.enable()
import numpy as np
from reid_model.openvino_runtime import core, import_openvino

def network():
    openvino = import_openvino()
    pixels = openvino.opset13.parameter([1], np.float32)
    return core().compile_model(openvino.Model([openvino.opset13.relu(pixels)], [pixels]), "CPU")

older, newer = network(), network()
del older
gc.collect()
del newer
gc.collect()
signal.signal(signal.SIGINT, lambda *received: print("handled", flush=True))
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_is_handled_after_the_networks_are_freed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=600, check=False
    )
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
