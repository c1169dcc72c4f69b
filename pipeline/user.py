"""Who runs this process."""

import getpass
import os


def user_name() -> str:
    """The user of this computer."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may have a user without a name.
        return f"uid {os.getuid()}"
