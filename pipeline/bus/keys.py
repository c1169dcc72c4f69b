"""The names in Redis: three streams, their groups, the associator's state."""

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
    """The key of a stream. The braces are Redis Cluster's hash tag: a site stays on one shard."""
    return f"fusetrack:{{{site}}}:{stream}"


def dead_letter_key(site: str) -> str:
    """The key of the stream that keeps messages which could not be read, with the reason."""
    return f"fusetrack:{{{site}}}:dead"


def state_key(site: str) -> str:
    """The key of the hash with the associator's state."""
    return f"fusetrack:{{{site}}}:{ASSOCIATOR}"
