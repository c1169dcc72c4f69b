"""Key names in Redis: three streams, their consumer groups, and the other keys of a site."""

OBSERVATIONS = "observations"
TRACKLETS = "tracklets"
IDENTITIES = "identities"

ASSOCIATOR = "associator"
RECORDER = "recorder"

#: The consumer groups of each stream. Entries are trimmed once all groups acknowledged them.
GROUPS = {
    OBSERVATIONS: (RECORDER,),
    TRACKLETS: (ASSOCIATOR, RECORDER),
    IDENTITIES: (RECORDER,),
}


def stream_key(site: str, stream: str) -> str:
    """The key of a stream."""
    return _key(site, stream)


def dead_letter_key(site: str) -> str:
    """The key of the dead-letter stream: invalid messages with the reason."""
    return _key(site, "dead")


def state_key(site: str) -> str:
    """The key of the hash with the associator's state."""
    return _key(site, ASSOCIATOR)


def lease_key(site: str) -> str:
    """The key that names the active associator; it expires when the associator is silent."""
    return _key(site, "lease")


def term_key(site: str) -> str:
    """The key of the term: a number incremented whenever an associator becomes active."""
    return _key(site, "term")


def claim_key(site: str, camera_id: str) -> str:
    """The key that names the node of a camera; it expires when the node is silent."""
    return _key(site, f"node:{camera_id}")


def sent_key(site: str, camera_id: str) -> str:
    """The key of a camera's sending progress, see `outbox.SentState`."""
    return _key(site, f"sent:{camera_id}")


def crops_key(site: str, camera_id: str) -> str:
    """The key of the vectors of a live camera's open tracks, see `Outbox.crops`."""
    return _key(site, f"crops:{camera_id}")


def cameras_key(site: str) -> str:
    """The key of the set of cameras that have sent messages."""
    return _key(site, "cameras")


def parts_key(site: str) -> str:
    """The key of the set of running parts."""
    return _key(site, "parts")


def run_key(site: str) -> str:
    """The key of the name of the current run of the site."""
    return _key(site, "run")


def picture_request_key(site: str, camera_id: str, kind: str) -> str:
    """The key that exists while a camera has a viewer of this kind of picture."""
    return _key(site, f"wanted:{kind}:{camera_id}")


def picture_key(site: str, camera_id: str, kind: str) -> str:
    """The key of a camera's latest picture for viewers."""
    return _key(site, f"picture:{kind}:{camera_id}")


def forget_key(site: str) -> str:
    """The key of the set of global ids to be forgotten."""
    return _key(site, "forget")


def forgotten_key(site: str, global_id: int) -> str:
    """The key of the confirmation for a forgotten person; it expires."""
    return _key(site, f"forgot:{global_id}")


def correct_key(site: str) -> str:
    """The key of the stream of corrections that are to be made."""
    return _key(site, "correct")


def corrected_key(site: str, entry_id: str) -> str:
    """The key of the answer to a correction; it expires."""
    return _key(site, f"corrected:{entry_id}")


def probe_key(site: str) -> str:
    """A short-lived key, written to check that Redis accepts writes."""
    return _key(site, "probe")


def _key(site: str, name: str) -> str:
    # The braces are a Redis Cluster hash tag: all keys of a site stay in one slot.
    return f"fusetrack:{{{site}}}:{name}"
