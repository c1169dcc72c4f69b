"""The running system: sources, detector, node, bus, associator, recorder, exports, command line."""

from pipeline.errors import UserError
from pipeline.follow import follow
from pipeline.run_directory.reader import RunDirectory

__all__ = ["RunDirectory", "UserError", "follow"]
