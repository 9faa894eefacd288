"""One rule of nftables, evaluated from left to right as the kernel does (nft(8)).

A rule breaks off at the first expression that does not hold. ``numgen random`` is where chance divides.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubelab.rules.nft.printing import print_rule
from kubelab.rules.nft.sets import MISSING, NftSet, fits, freeze
from kubelab.rules.nft.syntax import NotUnderstood
from kubelab.trace import translation
from kubelab.trace.judging import spread
from kubelab.trace.nft_values import Unjudged, value_of
from kubelab.trace.program import GO_ON, Action, TraceChain, Verdict, Way, either

if TYPE_CHECKING:
    from kubelab.trace.journey import Journey

_HARMLESS = frozenset({"counter", "log", "continue", "quota"})
"""Statements that change nothing a rule of this model asks for."""

_FINAL = {"accept": Verdict("accept"), "drop": Verdict("drop"), "return": Verdict("return"), "continue": GO_ON}


class NftRule:
    """A rule of a listing, in words or as JSON; read when it is first asked."""

    __slots__ = ("_chains", "_expressions", "_read", "_sets", "_text", "destination", "number")

    def __init__(
        self,
        number: int,
        chains: Mapping[str, TraceChain],
        sets: Mapping[str, NftSet],
        expressions: tuple[list[Any], str] | None = None,
        *,
        text: str = "",
        read: Callable[[str], tuple[list[Any], str]] | None = None,
    ) -> None:
        self.number = number
        self.destination: str | None = None
        self._chains = chains
        self._sets = sets
        self._expressions = expressions
        self._text = text
        self._read = read

    @property
    def text(self) -> str:
        """As listed."""
        if self._text:
            return self._text
        try:
            return print_rule(*self._parsed())
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return json.dumps(self._parsed()[0])

    @property
    def comment(self) -> str:
        """Its comment, empty when there is none."""
        return self._parsed()[1]

    def _parsed(self) -> tuple[list[Any], str]:
        if self._expressions is None:
            self._expressions = self._read(self._text) if self._read else ([], "")
        return self._expressions

    def ways(self, journey: Journey) -> Sequence[Way]:
        """See `kubelab.trace.program.TraceRule`."""
        return _Evaluation(journey, self._chains, self._sets).run(self._parsed()[0])


@dataclass
class _Evaluation:
    """One rule asked about one packet."""

    journey: Journey
    chains: Mapping[str, TraceChain]
    sets: Mapping[str, NftSet]
    actions: list[Action] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    marked: bool = False
    """An earlier statement of the rule sets the mark."""

    def run(self, expressions: list[Any]) -> Sequence[Way]:
        ways: Sequence[Way] | None = None
        for expression in expressions:
            name, said = next(iter(expression.items()))
            try:
                if name == "match":
                    if not self._holds(said):
                        return ()
                else:
                    ways = self._do(name, said)
            except Unjudged as unknown:
                self.unsure.append(str(unknown))
            except (NotUnderstood, IndexError, KeyError, TypeError, ValueError) as error:
                self.unsure.append(f"'{name}' is not understood ({error})")
            if ways is not None:
                break
        found = ways if ways is not None else (Way(GO_ON),)
        done = tuple(way._replace(actions=(*self.actions, *way.actions)) if way.matched else way for way in found)
        if self.unsure and done:
            reasons = "; ".join(self.unsure)
            return either(done, f"it matches: {reasons}", f"it does not match: {reasons}")
        return done

    def _holds(self, said: dict[str, Any]) -> bool:
        if self.marked and "'mark'" in repr(said["left"]):
            raise Unjudged("it asks for the mark that it has set itself")
        left = value_of(said["left"], self.journey)
        if left is None:
            return False
        right, negated = said["right"], said["op"] == "!="
        if said["op"] in ("<", ">", "<=", ">="):
            return _compare(left, said["op"], right)
        if isinstance(left, frozenset):
            wanted = right["set"] if isinstance(right, dict) and "set" in right else right
            names = wanted if isinstance(wanted, list) else [wanted]
            return (not left.isdisjoint(str(name) for name in names)) is not negated
        if isinstance(right, str) and right.startswith("@"):
            return self._in_set(left, right[1:]) is not negated
        try:
            return fits(left, right) is not negated
        except ValueError as unknown:
            raise Unjudged(str(unknown)) from None

    def _in_set(self, value: Any, name: str) -> bool:
        if isinstance(value, str) and any(known[1:] == (name, value) for known in self.journey.remembered):
            return self.journey.knows(name, value)
        found = self.sets.get(name)
        if found is None:
            raise Unjudged(f"set @{name} is missing from the table")
        return found.get(value) is not MISSING

    def _do(self, name: str, said: Any) -> Sequence[Way] | None:
        if name in _FINAL and name != "continue":
            return (Way(_FINAL[name]),)
        if name in ("jump", "goto"):
            return (Way(self._verdict({name: said})),)
        if name == "reject":
            said = said or {}
            return (Way(Verdict("reject", said.get("type", "") if "reset" in said.get("type", "") else
                                f"{said.get('type', 'icmp')}-{said.get('expr', 'port-unreachable')}")),)  # fmt: skip
        if name == "vmap":
            return self._branches(said, lambda datum: Way(self._verdict(datum)))
        if name in ("dnat", "snat"):
            return self._translation(said, translation.destination if name == "dnat" else translation.source)
        if name == "masquerade":
            flags = (said or {}).get("flags", ())
            return (Way(Verdict("accept"), (translation.masquerade("fully-random" in flags or "random" in flags),)),)
        if name == "redirect":
            port = (said or {}).get("port", -1)
            if not isinstance(port, int):
                raise Unjudged("it redirects to a range of ports")
            return (Way(Verdict("accept"), (translation.redirect(port),)),)
        if name == "mangle":
            self._mangle(said)
        elif name == "set":
            self._remember(said)
        elif name == "xt":
            raise Unjudged(f"'{said.get('name', 'xt')}' of iptables is not shown by nft: give iptables-save too")
        elif name not in _HARMLESS:
            raise Unjudged(f"'{said if name == 'unknown' else name}' is not part of this model")
        return None

    def _verdict(self, datum: Any) -> Verdict:
        name, said = next(iter(datum.items()))
        if name in _FINAL:
            return _FINAL[name]
        if name not in ("jump", "goto") or said["target"] not in self.chains:
            missing = f"chain {said['target']} is missing from the table" if name in ("jump", "goto") else name
            return Verdict("unknown", missing)
        return Verdict(name, said["target"])

    def _branches(self, said: dict[str, Any], make: Callable[[Any], Way]) -> Sequence[Way]:
        """The ways by a map: one where the key is known, one for every number that may be drawn."""
        key = said["key"]
        if not (isinstance(key, dict) and "numgen" in key):
            value = value_of(key, self.journey)
            datum = MISSING if value is None else self._look_up(said["data"], value)
            return () if datum is MISSING else (make(datum),)
        size, offset = key["numgen"]["mod"], key["numgen"].get("offset", 0)
        if self.journey.draws is not None:
            datum = self._look_up(said["data"], offset + min(size - 1, int(self.journey.draw() * size)))
            return () if datum is MISSING else (make(datum),)
        drawn = [self._look_up(said["data"], offset + each) for each in range(size)]
        ways = [make(datum)._replace(share=1 / size) for datum in drawn if datum is not MISSING]
        if len(ways) < size:
            ways.append(Way(share=1 - len(ways) / size, matched=False))
        return ways

    def _look_up(self, data: Any, value: Any) -> Any:
        if isinstance(data, str):
            found = self.sets.get(data.removeprefix("@"))
            if found is None:
                raise Unjudged(f"map {data} is missing from the table")
            return found.get(value)
        return NftSet("", elements=data["set"]).get(value)

    def _translation(self, said: dict[str, Any], translate: Callable[[str, int], Action]) -> Sequence[Way]:
        address, port = said.get("addr", ""), said.get("port")
        if isinstance(address, dict) and "map" in address:
            return self._branches(address["map"], lambda datum: _translated(freeze(datum), port, translate))
        ends = address["range"] if isinstance(address, dict) and "range" in address else [address]
        if isinstance(address, dict) and "concat" in address:
            return (_translated(freeze(address), port, translate),)
        try:
            hosts = "-".join(str(ipaddress.ip_address(end)) if end else "" for end in ends)
        except ValueError:
            raise Unjudged(f"it translates to {address!r}") from None
        found = spread(hosts, "" if port is None else "-".join(map(str, port["range"])) if isinstance(port, dict)
                       else str(port))  # fmt: skip
        if found is None:
            return (Way(Verdict("unknown", "it translates to too many places to list")),)
        return [Way(Verdict("accept"), (translate(*place),), 1 / len(found)) for place in found]

    def _mangle(self, said: dict[str, Any]) -> None:
        value, of_connection = said["value"], said["key"] == {"ct": {"key": "mark"}}
        if said["key"] != {"meta": {"key": "mark"}} and not of_connection:
            if "nftrace" in repr(said["key"]) or "ct" in said["key"]:
                return
            raise Unjudged(f"it sets '{print_rule([{'mangle': said}])}'")

        def change(journey: Journey) -> str:
            new = value_of(value, journey)
            if of_connection:
                return translation.connection_mark(lambda *_: new)(journey)
            return translation.mark(lambda _: new)(journey)

        value_of(value, self.journey)
        self.actions.append(change)
        self.marked = True

    def _remember(self, said: dict[str, Any]) -> None:
        value = value_of(said["elem"], self.journey)
        name = said["set"].removeprefix("@")
        if isinstance(value, str) and said["op"] != "delete":
            self.actions.append(lambda journey: journey.remember(name, value))


def _translated(place: Any, port: Any, translate: Callable[[str, int], Action]) -> Way:
    address, number = place if isinstance(place, tuple) else (place, -1 if port is None else port)
    ipaddress.ip_address(address)
    if not isinstance(number, int):
        raise Unjudged(f"it translates to port {number!r}")
    return Way(Verdict("accept"), (translate(address, number),))


def _compare(left: Any, sign: str, right: Any) -> bool:
    if not isinstance(left, int) or not isinstance(right, int):
        raise Unjudged(f"it compares with '{sign}'")
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[sign]
