"""Health pages of the API with and without Redis."""

import threading
from pathlib import Path

from live_api import TOKEN, LiveApi
from pipeline.bus.streams import Bus
from redis_servers import redis_server, until


def test_without_redis_it_is_alive_but_not_ready(tmp_path: Path) -> None:
    stop = threading.Event()
    with redis_server(tmp_path) as server:
        api = LiveApi(Bus(server.url, "site"), token=TOKEN)
        follower = threading.Thread(target=api.follower.run, args=[stop, lambda: None])
        follower.start()
        try:
            for page in ("/healthz", "/readyz"):
                answer = api.http.get(page)
                assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
            server.process.kill()
            until(lambda: api.http.get("/readyz").status_code == 503)
            assert api.http.get("/readyz").json() == {"status": "no redis"}
            answer = api.http.get("/healthz")
            assert (answer.status_code, answer.json()) == (200, {"status": "no redis"})
        finally:
            stop.set()
            follower.join()
            api.close()
