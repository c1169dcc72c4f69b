"""A site in a Redis Cluster: connections to the current master of its slot.

All keys of a site are in one slot, so plain connections to one master suffice, and transactions
and blocking reads work as on a single server.
"""

from typing import Any

import redis
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, TryAgainError

#: Host and port.
HostPort = tuple[str, int]


def connect_to_master(pool: ConnectionPool, key: str) -> redis.Redis:
    """A client of the master that holds ``key``; ``pool`` connects to any node of the cluster.

    It follows the slot when another node becomes its master.
    """
    secure = issubclass(pool.connection_class, SSLConnection)
    settings = dict(pool.connection_kwargs)
    master = _Master(SSLConnection if secure else Connection, settings, key_slot(key.encode()))
    kind = _SecureConnectionToMaster if secure else _ConnectionToMaster
    return redis.Redis.from_pool(ConnectionPool(kind, master=master, **settings))


class _Master:
    """Finds the master of a slot by asking the known nodes in turn."""

    def __init__(self, kind: type[Connection], settings: dict[str, Any], slot: int) -> None:
        self._kind = kind
        self._settings = settings
        self._slot = slot
        first = settings.get("host", "localhost"), int(settings.get("port", 6379))
        self._nodes: list[HostPort] = [first]

    def find(self) -> HostPort:
        """The address of the master. Raises ConnectionError or TimeoutError if no node answers."""
        failure: redis.RedisError | None = None
        for node in list(self._nodes):
            try:
                return self._master_from(node)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                failure = error
        assert failure is not None
        raise failure

    def _master_from(self, asked: HostPort) -> HostPort:
        holders: list[HostPort] = []
        others: list[HostPort] = []
        for first, last, *nodes in self._slots(asked):
            # A node that does not know its own address leaves the host empty.
            found = [((host or b"").decode() or asked[0], int(port)) for host, port, *_ in nodes]
            (holders if first <= self._slot <= last else others).extend(found)
        if not holders:
            raise ClusterDownError("no node holds the slot of this site")
        self._nodes = list(dict.fromkeys([*holders, *others, *self._nodes]))
        return holders[0]

    def _slots(self, asked: HostPort) -> Any:
        host, port = asked
        connection: Any = self._kind(**{**self._settings, "host": host, "port": port})
        try:
            connection.connect()
            connection.send_command("CLUSTER", "SLOTS")
            return connection.read_response()
        finally:
            connection.disconnect()


class _ConnectionToMaster(Connection):
    """Looks up the master on every connect and disconnects from a node that is not it any more."""

    def __init__(self, *, master: _Master, **settings: Any) -> None:
        self._master = master
        super().__init__(**settings)  # type: ignore[no-untyped-call]

    def connect(self) -> None:
        if self._sock is None:
            self.host, self.port = self._master.find()
        super().connect()  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except (AskError, TryAgainError, ClusterDownError) as error:
            self.disconnect()  # type: ignore[no-untyped-call]
            # Nothing was executed, so the command can be retried once there is a master again.
            raise redis.ConnectionError(f"the cluster is changing: {error}") from error


class _SecureConnectionToMaster(_ConnectionToMaster, SSLConnection):
    """The same with TLS."""
