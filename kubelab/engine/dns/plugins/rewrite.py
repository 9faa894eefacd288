"""rewrite: another name is looked up than the one that was asked for, and the client does not see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kubelab.engine.dns import wire
from kubelab.engine.dns.corefile import Directive
from kubelab.engine.dns.plugins.base import Handler, Plugin, Query, Reply, Site, zone_of
from kubelab.engine.dns.records import Question

_KINDS = ("exact", "suffix")
_USE = "kubelab's name server knows 'rewrite [continue|stop] name [exact|suffix] FROM TO [answer auto]'"


@dataclass(frozen=True)
class _Rule:
    kind: str
    old: str
    new: str
    goes_on: bool
    answers: bool
    """Whether the records that come back are given the name that was asked for."""

    def rewritten(self, name: str) -> str | None:
        name = name.lower()
        if self.kind == "exact":
            return self.new if name == zone_of(self.old) else None
        old, new = self.old.lower().rstrip("."), self.new.rstrip(".")
        return name.removesuffix(old) + new if name.endswith(old) else None


def _rule(directive: Directive) -> _Rule:
    line, words = directive.line, list(directive.line.args)
    goes_on = words[:1] == ["continue"]
    if words[:1] in (["continue"], ["stop"]):
        words = words[1:]
    auto = words[-2:] == ["answer", "auto"]
    if auto:
        words = words[:-2]
    if words[:1] != ["name"] or directive.block:
        raise line.wrong(_USE)
    kind = words[1] if len(words) == 4 else "exact"
    if len(words) not in (3, 4) or kind not in _KINDS:
        raise line.wrong(_USE)
    old, new = words[-2:]
    return _Rule(kind, old, zone_of(new) if kind == "exact" else new, goes_on, auto or kind == "exact")


class Rewrite(Plugin):
    """``rewrite [continue|stop] name [exact|suffix] FROM TO [answer auto]``."""

    name = "rewrite"
    repeats = True

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        self._rules = [_rule(directive) for directive in directives]

    def wrap(self, following: Handler) -> Handler:
        """Ask for the other name, answer for the first."""

        async def handle(query: Query) -> Reply:
            name, answers = query.question.name, False
            for rule in self._rules:
                if (found := rule.rewritten(name)) is not None:
                    name, answers = found, answers or rule.answers
                    if not rule.goes_on:
                        break
            if name == query.question.name:
                return await following(query)
            request = wire.renamed_request(query.request, name)
            asked = Question(name, query.question.type)
            reply = await following(replace(query, request=request, data=bytes(request.pack()), question=asked))
            old = name if answers else None
            return Reply(wire.renamed_reply(reply.message, query.request, old), self.name)

        return handle
