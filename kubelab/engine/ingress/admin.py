"""What an Envoy says of itself, asked on its administration port. Standard library only, one connection a question."""

from __future__ import annotations

import http.client

ANSWER_SECONDS = 2.0


class NoEnvoy(OSError):
    """Nobody answers there."""


def ask(port: int, path: str, method: str = "GET") -> str:
    """The answer's text. Raises `NoEnvoy`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path)
        return connection.getresponse().read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise NoEnvoy(f"the Envoy behind port {port} does not answer: {error}") from error
    finally:
        connection.close()


def stats(port: int, pattern: str) -> dict[str, str]:
    """The statistics whose names match a regular expression. Raises `NoEnvoy`."""
    lines = ask(port, f"/stats?filter={pattern}").splitlines()
    pairs = (line.partition(": ") for line in lines)
    return {name: value.strip('"') for name, _, value in pairs if value}


def requests_under_way(port: int) -> int:
    """How many requests of clients are not answered to their end. Raises `NoEnvoy`."""
    return int(stats(port, r"^http\.ingress\.downstream_rq_active$").get("http.ingress.downstream_rq_active", 0))
