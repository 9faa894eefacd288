"""What the server says of itself: health, check by check, and metrics."""

from __future__ import annotations

import pytest

from kubelab.engine.metrics import Metrics

CM = "/api/v1/namespaces/default/configmaps"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/ping", "/livez/storage"])
async def test_a_healthy_server_says_ok(api, path) -> None:
    answer = await api.get(path)
    assert (answer.code, answer.raw) == (200, b"ok")


async def test_verbose_tells_every_check(api) -> None:
    told = (await api.get("/readyz?verbose")).raw.decode()
    assert told.splitlines() == ["[+]ping ok", "[+]log ok", "[+]storage ok", "readyz check passed"]


async def test_a_check_that_fails_fails_the_whole_and_can_be_left_out(api, monkeypatch) -> None:
    monkeypatch.setitem(api.server._inside.checks, "storage", lambda: False)
    failed = await api.get("/readyz")
    assert failed.code == 500
    assert failed.raw.decode().splitlines()[-2:] == ["[-]storage failed: reason withheld", "readyz check failed"]
    assert (await api.get("/readyz/ping")).code == 200
    assert (await api.get("/readyz?exclude=storage")).raw == b"ok"


async def test_a_check_that_does_not_exist_is_not_found(api) -> None:
    assert (await api.get("/readyz/nothing")).code == 404
    told = (await api.get("/readyz?verbose&exclude=nothing")).raw.decode()
    assert "warn: some health checks cannot be excluded: no matches for nothing" in told


def _label(line: str, name: str) -> str:
    return line.split(f'{name}="')[1].split('"')[0]


async def test_requests_are_counted_by_what_they_wanted_and_how_they_ended(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    await api.get(f"{CM}/a")
    await api.get(f"{CM}/b")
    await api.get(CM)
    lines = (await api.get("/metrics")).raw.decode().splitlines()
    counted = [line for line in lines if line.startswith("apiserver_request_total") and 'resource="configmaps"' in line]
    found = {(_label(line, "verb"), _label(line, "code")) for line in counted}
    assert {("POST", "201"), ("GET", "200"), ("GET", "404"), ("LIST", "200")} <= found
    assert 'apiserver_resource_objects{group="",resource="configmaps"} 1' in lines
    assert any(line.startswith("apiserver_request_duration_seconds_bucket") for line in lines)
    assert any(line.startswith("process_cpu_seconds_total ") for line in lines)


def test_large_counts_are_written_whole() -> None:
    metrics = Metrics()
    metrics.add("requests_total", 12_345_678)
    assert "requests_total 12345678" in metrics.text()
