"""The names in Redis: three streams, their groups, and what belongs to a site besides."""

OBSERVATIONS = "observations"
TRACKLETS = "tracklets"
IDENTITIES = "identities"

ASSOCIATOR = "associator"
RECORDER = "recorder"

#: Who reads which stream. A stream is trimmed by what all of its groups have acknowledged.
GROUPS = {
    OBSERVATIONS: (RECORDER,),
    TRACKLETS: (ASSOCIATOR, RECORDER),
    IDENTITIES: (RECORDER,),
}


def stream_key(site: str, stream: str) -> str:
    """The key of a stream."""
    return _key(site, stream)


def dead_letter_key(site: str) -> str:
    """The key of the stream that keeps messages which could not be used, with the reason."""
    return _key(site, "dead")


def state_key(site: str) -> str:
    """The key of the hash with the associator's state."""
    return _key(site, ASSOCIATOR)


def lease_key(site: str) -> str:
    """The key that names the associator which decides; it expires when that one is silent."""
    return _key(site, "lease")


def term_key(site: str) -> str:
    """The key of the number that grows whenever an associator begins to decide."""
    return _key(site, "term")


def claim_key(site: str, camera_id: str) -> str:
    """The key that names the node which follows a camera; it expires when that one is silent."""
    return _key(site, f"node:{camera_id}")


def sent_key(site: str, camera_id: str) -> str:
    """The key of what is known of the messages that a camera has sent."""
    return _key(site, f"sent:{camera_id}")


def cameras_key(site: str) -> str:
    """The key of the set of cameras that have sent something."""
    return _key(site, "cameras")


def parts_key(site: str) -> str:
    """The key of the set of parts that have not yet said that they are done."""
    return _key(site, "parts")


def run_key(site: str) -> str:
    """The key of the name that the present run of the site was given."""
    return _key(site, "run")


def wanted_key(site: str, camera_id: str, kind: str) -> str:
    """A key that is there while somebody looks at a camera."""
    return _key(site, f"wanted:{kind}:{camera_id}")


def picture_key(site: str, camera_id: str, kind: str) -> str:
    """The key of a camera's latest picture, for who looks at it."""
    return _key(site, f"picture:{kind}:{camera_id}")


def forget_key(site: str) -> str:
    """The key of the set of people who are to be forgotten."""
    return _key(site, "forget")


def forgot_key(site: str, global_id: int) -> str:
    """The key of what was removed of somebody who was forgotten; it expires."""
    return _key(site, f"forgot:{global_id}")


def probe_key(site: str) -> str:
    """A key that is there for a moment only, to see whether Redis takes it."""
    return _key(site, "probe")


def _key(site: str, name: str) -> str:
    # The braces are Redis Cluster's hash tag: a site stays on one shard.
    return f"fusetrack:{{{site}}}:{name}"
