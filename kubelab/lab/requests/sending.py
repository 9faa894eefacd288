"""Sends requests by host name: to the address where Ingress traffic enters, whatever DNS says of the name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubelab.lab import senders, shell
from kubelab.lab.entrance import entrance
from kubelab.lab.errors import CannotRun, LabError, TimedOut
from kubelab.lab.requests.answerers import Answerer, answerers
from kubelab.lab.requests.replies import Reply, Requests
from kubelab.routing.request import Request

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab
    from kubelab.lab.pods import Pod

PROGRAM = "requests/program.py"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_IN_EVERY_ANSWER = frozenset({"pod", "uid"})


@dataclass(frozen=True)
class Asked:
    """What is sent, how often, and from where."""

    urls: tuple[str, ...]
    times: int = 1
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    source: str | Pod | None = "outside"
    rate: float | None = None
    keep: bool = False
    via: str = ""
    address: str = ""
    verify: bool = True
    timeout: float = 3.0


def send(lab: Lab, asked: Asked) -> Requests:
    """Send every request and wait for the last answer. Raises `LabError`."""
    urls = [url if "://" in url else f"http://{url}" for url in asked.urls]
    if not urls:
        raise LabError("There is nothing to ask for; give one URL or more: lab.requests('http://shop.example.test/').")
    _check(asked)
    job = {
        "requests": list(_requests(lab, asked, urls)),
        "times": asked.times,
        "rate": asked.rate,
        "keep": asked.keep,
        "verify": asked.verify,
        "ca": lab.authority.pem if any(url.startswith("https:") for url in urls) else "",
        "timeout": asked.timeout,
    }
    limit_seconds = 30 + asked.times * len(urls) * (asked.timeout + 1)
    lines = sorted(_run(lab, asked.source, job, limit_seconds), key=lambda line: line["n"])
    said = [_said(line) for line in lines]
    known = answerers(lab, (each["uid"] for each in said if each.get("uid")))
    replies = (
        _reply(urls[line["which"]], asked.method, line, saw, known.get(saw.get("uid", "")) or _gone(lab, saw))
        for line, saw in zip(lines, said, strict=True)
    )
    return Requests(replies)


def _check(asked: Asked) -> None:
    """Refuse what no client could send."""
    if asked.times < 1 or asked.timeout <= 0 or (asked.rate is not None and asked.rate <= 0):
        raise LabError("How often (n), how fast (rate) and how long to wait (timeout) must be more than nothing.")
    if not _TOKEN.fullmatch(asked.method):
        raise LabError(f"{asked.method!r} is no method; write it like 'GET'.")
    for name, value in asked.headers:
        if not _TOKEN.fullmatch(name) or not str(value).isascii() or not str(value).isprintable():
            raise LabError(f"{name!r}: {value!r} is no header that can be sent; its value is one line of ASCII.")


def _requests(lab: Lab, asked: Asked, urls: Iterable[str]) -> Iterator[dict[str, Any]]:
    addresses: dict[str, str] = {}
    for url in urls:
        request = _parsed(url)
        if request.name not in addresses:
            addresses[request.name] = asked.address or entrance(lab, request.name, asked.via).address
        yield {
            "address": addresses[request.name],
            "port": request.port,
            "tls": url.startswith("https:"),
            "sni": lab.hosts.there(request.name),
            "host": lab.hosts.there(request.host),
            "target": request.target,
            "method": asked.method,
            "headers": [_header(lab, *header) for header in asked.headers],
            "body": asked.body,
        }


def _header(lab: Lab, name: str, value: str) -> tuple[str, str]:
    return name, lab.hosts.there(value) if name.lower() == "host" else value


def _parsed(url: str) -> Request:
    try:
        request = Request.of(url)
    except ValueError as error:
        raise LabError(str(error)) from error
    if not request.target.isascii() or not request.target.isprintable() or " " in request.target:
        raise LabError(f"{url!r} cannot be sent as it is written: write letters beyond ASCII and blanks as %XX.")
    return request


def _run(lab: Lab, source: str | Pod | None, job: dict[str, Any], limit_seconds: float) -> list[dict[str, Any]]:
    node = senders.standing_outside(lab, source, job["requests"][0]["address"])
    if node is None:
        client = shell.start_client(lab.api, lab.namespace, senders.in_pod(lab, source), job, PROGRAM)
        return list(client.results(limit_seconds))
    given = shell.client_input(job, PROGRAM)
    done = node.run(shell.CLIENT_ARGV, stdin=given, timeout_seconds=limit_seconds)
    if done.code == 124:
        raise TimedOut(f"The client outside the cluster did not end within {limit_seconds:g} s.")
    if done.code != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CannotRun(f"The client outside the cluster failed: {last}")
    return [json.loads(line) for line in lab.hosts.back(done.stdout).splitlines()]


def _said(line: Mapping[str, Any]) -> dict[str, Any]:
    """What a lesson's server says in its answer; nothing when somebody else has answered."""
    try:
        said = json.loads(line.get("body") or "")
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.keys() >= _IN_EVERY_ANSWER else {}


def _gone(lab: Lab, saw: Mapping[str, Any]) -> Answerer:
    """A pod that has answered and is not there any more, or nobody."""
    name = str(saw.get("pod", ""))
    return Answerer(lab.aliases.of_name(name) or name, "", ())


def _reply(url: str, method: str, line: Mapping[str, Any], saw: Mapping[str, Any], who: Answerer) -> Reply:
    return Reply(
        url,
        method,
        code=line.get("code"),
        error=line.get("error", ""),
        pod=who.pod,
        workload=who.workload,
        services=who.services,
        headers=line.get("headers") or {},
        saw=saw,
        body="" if saw else line.get("body", ""),
        verified=line.get("verified"),
        why_not=_why_not(line),
        at=line["at"],
        seconds=line["seconds"],
    )


def _why_not(line: Mapping[str, Any]) -> str:
    if "verdict" not in line:
        return ""
    from kubelab.lab.handshakes import REASONS

    return REASONS.get(line["verdict"], str(line["openssl"]).lower())
