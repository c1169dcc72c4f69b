"""The characters a camera's name may have."""

import re


def clean_name(text: str) -> str:
    """``text`` with every character outside A-Z, a-z, 0-9, ``_``, ``.`` and ``-`` as ``_``."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)
