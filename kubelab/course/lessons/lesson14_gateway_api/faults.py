"""The same fault behind both doors: what a client gets by an Ingress and by a Gateway, and what each object says.

Each row has a host of its own, an Ingress and an HTTPRoute of the same name, and one thing that is wrong with both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from kubelab.course.catalogue import Question
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson14_gateway_api import telling
from kubelab.course.lessons.lesson14_gateway_api.objects import http_route, rule
from kubelab.course.predictions import predict
from kubelab.course.tables import LEFT, padded
from kubelab.lab import palette
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Reply, listed, measure

APP, EMPTY = "shop", "empty"
"""A Service with a pod, and one whose selector finds none."""
GATEWAY = "edge"
WELL = "all is well"
FINE = "none"
"""The row without a fault."""
CODES = ("answered", "404", "500", "503", "no connection")
REASONS = (WELL, "BackendNotFound", "NoMatchingListenerHostname")
HEADS = ("fault", "by the Ingress", "the Ingress says", "by the Gateway", "the HTTPRoute says")


class Fault(NamedTuple):
    """One thing that is wrong."""

    words: str
    service: str = APP
    path: str = "/"
    domain: str = "books.test"
    """The last two labels of the row's host; the Gateway's listener is for one domain."""
    hurried: tuple[str, str] = ("404", WELL)
    """The guess of somebody in a hurry."""


FAULTS: Mapping[str, Fault] = {
    FINE: Fault("nothing is wrong"),
    "no-service": Fault("there is no Service shpo", service="shpo", hurried=("503", "BackendNotFound")),
    "no-endpoints": Fault("no pod of the Service is ready", service=EMPTY, hurried=("503", "BackendNotFound")),
    "no-match": Fault("the rule is for /shop, the request for /", path="/shop"),
    "other-host": Fault("the host is of music.test, the listener for *.books.test", domain="music.test"),
}
"""By the names of Ingress and HTTPRoute, in the order in which they are shown."""


def questions() -> tuple[Question, ...]:
    """Two for each fault: what does a client of the Gateway get, and what does the HTTPRoute say?"""
    return tuple(
        question
        for name, fault in FAULTS.items()
        if name != FINE
        for question in (
            Question(f"14.{name}", f"{fault.words}: what does a client of the Gateway get?", options=CODES[:4]),
            Question(f"14.{name}.says", f"{fault.words}: which reason does the HTTPRoute give?", options=REASONS),
        )
    )


class Seen(NamedTuple):
    """What came of one fault."""

    by_ingress: str
    ingress_says: str
    by_gateway: str
    route_says: str


@dataclass(frozen=True)
class Both:
    """All faults; ``predicted``: what was said of the Gateway's answer and of the route's reason."""

    seen: Mapping[str, Seen]
    predicted: Mapping[str, tuple[str, str]]

    @property
    def sentence(self) -> str:
        """``5 of 8 came as you said``."""
        pairs = [
            pair
            for name, said in self.predicted.items()
            for pair in zip(said, (self.seen[name].by_gateway, self.seen[name].route_says), strict=True)
        ]
        return f"{sum(said == seen for said, seen in pairs)} of {len(pairs)} came as you said"

    def __repr__(self) -> str:
        return f"{self.sentence}\n" + padded([HEADS, *((name, *seen) for name, seen in self.seen.items())])

    def _repr_html_(self) -> str:
        heads = "".join(f"<th style='{LEFT}'>{escape(word)}</th>" for word in HEADS)
        body = "".join(f"<tr>{''.join(map(_cell, self._cells(name)))}</tr>" for name in self.seen)
        return (
            f"<div><b>{escape(self.sentence)}</b></div>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _cells(self, name: str) -> tuple[tuple[str, str], ...]:
        """What was seen in each column, and what was said of it before."""
        said, seen = self.predicted.get(name, ("", "")), self.seen[name]
        words = ("", FAULTS[name].words)
        return words, (seen[0], ""), (seen[1], ""), (seen[2], said[0]), (seen[3], said[1])


def all_faults() -> dict[str, Any]:
    """The rows for a `PredictionForm`, with the guesses of somebody who thinks that whatever is down is a 503, and that
    an object says what is wrong with its pods, and nothing of its hosts."""
    chosen = {f"14.{name}": fault.hurried[0] for name, fault in FAULTS.items() if name != FINE}
    chosen |= {f"14.{name}.says": fault.hurried[1] for name, fault in FAULTS.items() if name != FINE}
    rows = [
        (each.id, _asked(each.id.removeprefix("14.").removesuffix(".says"), each), each.options) for each in questions()
    ]
    return {"rows": rows, "heads": ("fault", "what is wrong", ""), "chosen": chosen}


def _asked(name: str, question: Question) -> tuple[str, str, str]:
    if question.id.endswith(".says"):
        return "", "", "the HTTPRoute says"
    return name, FAULTS[name].words, "a client gets"


def measure_faults(lab: Lab) -> Both:
    """Set all faults up behind both doors and ask. Raises `PredictFirst` when something was not predicted."""
    with ExitStack() as predicted:
        for question in questions():
            predicted.enter_context(predict.first(question.id))
        lab.apply(_nobody())
        lab.apply([each for name, fault in FAULTS.items() for each in _objects(name, fault)])
        lab.wait(f"ingress/{FINE}", "answers")
        lab.wait(f"httproute/{FINE}", "answers")
        by_ingress, by_gateway = _ask(lab, f"ingress/{FINE}"), _ask(lab, f"gateway/{GATEWAY}")
        seen = {
            name: Seen(
                by_ingress[name],
                telling.address(lab, f"ingress/{name}"),
                by_gateway[name],
                reason(lab, f"httproute/{name}"),
            )
            for name in FAULTS
        }
        return Both(seen, {name: _compared(name, each) for name, each in seen.items() if name != FINE})


def reason(lab: Lab, name: str) -> str:
    """The reason of the first condition that is not as it should be; `WELL` when there is none."""
    return next((each.reason for each in telling.wrong(lab, name)), WELL)


def got(replies: Iterable[Reply]) -> str:
    """What came, in one of `CODES` where it is the same for all; ``answered and 404`` where it is not."""
    return " and ".join(dict.fromkeys(_in_words(reply) for reply in replies))


def _in_words(reply: Reply) -> str:
    if reply.code is None:
        return "no connection"
    return "answered" if reply.code == 200 else str(reply.code)


def _compared(name: str, seen: Seen) -> tuple[str, str]:
    code = predict.compare(f"14.{name}", seen.by_gateway)
    says = predict.compare(f"14.{name}.says", seen.route_says)
    return str(code.predicted), str(says.predicted)


def _objects(name: str, fault: Fault) -> list[Object]:
    host = f"{name}.{fault.domain}"
    return [
        stage.ingress(name, [stage.rule(host, [stage.path("Prefix", fault.path, fault.service)])]),
        http_route(name, {"name": GATEWAY}, [host], rule({fault.service: 1}, path=fault.path)),
    ]


def _nobody() -> Object:
    spec: dict[str, Any] = {"selector": {"app": "nobody"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": EMPTY}, "spec": spec}


def _ask(lab: Lab, via: str) -> dict[str, str]:
    urls = {name: f"http://{name}.{fault.domain}/" for name, fault in FAULTS.items()}
    replies = {cell.url: cell.reply for cell in measure(lab, listed(list(urls.values())), {}, via=via).cells.values()}
    return {name: got([replies[url]]) for name, url in urls.items()}


def _cell(cell: tuple[str, str]) -> str:
    seen, said = cell
    if not seen:
        return f"<td style='{LEFT}'>{escape(said)}</td>"
    sign, colour = ("✔", palette.GOOD) if seen == said else ("✖", palette.BAD)
    beside = f"<br><small><span style='color: {colour}'>{sign}</span> you said: {escape(said)}</small>" if said else ""
    return f"<td style='{LEFT}'>{escape(seen)}{beside}</td>"
