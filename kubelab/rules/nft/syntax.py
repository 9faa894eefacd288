"""A rule as ``nft list`` prints it or ``nft -f`` reads it, in the shape of ``nft -j`` (libnftables-json(5)).

What kube-proxy, kindnet, Docker and kubelet write is understood; any other words become ``{"unknown": words}``.
"""

from __future__ import annotations

import re

from kubelab.rules.nft.durations import read_duration
from kubelab.rules.nft.errors import NotUnderstood
from kubelab.rules.nft.words import NUMBER, Json, atom, unquote

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{},;()]|[^\s{},;()"]+')
_HEADERS = {"ip", "ip6", "tcp", "udp", "sctp", "th", "icmp", "icmpv6", "ether", "arp", "udplite"}
_FIELDS = {"saddr", "daddr", "protocol", "nexthdr", "sport", "dport", "type", "version", "length", "ttl", "dscp"}
_BARE_META = {"iifname", "oifname", "iif", "oif", "mark", "l4proto", "skuid", "skgid", "nfproto", "pkttype", "cgroup"}
_VERDICTS = {"accept", "drop", "return", "continue"}
_STARTS = {*_VERDICTS, "jump", "goto", "counter", "comment", "reject", "masquerade", "dnat", "snat", "redirect", "log"}
_OPERATORS = {"==", "!=", "<", ">", "<=", ">="}
_NAT_FLAGS = {"random", "fully-random", "persistent"}


def tokens(text: str) -> list[str]:
    """The words of a line; braces and commas stand alone."""
    return _TOKEN.findall(text)


def read_rule(text: str | list[str]) -> tuple[list[Json], str]:
    """The expressions of a rule (its text or its words), and its comment."""
    return _Rule(tokens(text) if isinstance(text, str) else text).read()


def read_elements(text: str | list[str]) -> list[Json]:
    """The elements of a set or map, from what is between its braces: keys, or pairs of key and value.

    Raises `NotUnderstood` and IndexError.
    """
    return _Rule([*(tokens(text) if isinstance(text, str) else text), "}"]).elements()


class _Rule:
    """The words of one rule, read from left to right."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0
        self._comment = ""

    def read(self) -> tuple[list[Json], str]:
        found: list[Json] = []
        while self._at < len(self._words):
            start = self._at
            try:
                statement = self._statement()
            except (NotUnderstood, IndexError):
                self._at = start
                statement = {"unknown": self._unknown_words()}
            if statement is not None:
                found.append(statement)
        return found, self._comment

    def _unknown_words(self) -> str:
        start = self._at
        self._at += 1
        while self._at < len(self._words) and self._words[self._at] not in _STARTS:
            self._at += 1
        return " ".join(self._words[start : self._at])

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _next(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def _take(self, *wanted: str) -> bool:
        if self._peek() in wanted:
            self._at += 1
            return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise NotUnderstood(wanted)

    def _statement(self) -> Json:
        word = self._peek()
        if word in _VERDICTS or word in ("jump", "goto"):
            return self._verdict()
        if word == "comment":
            self._next()
            self._comment = unquote(self._next())
            return None
        if word in ("counter", "log"):
            return self._side_effect()
        if word == "reject":
            return self._reject()
        if word in ("masquerade", "dnat", "snat", "redirect"):
            return self._nat()
        if word in ("update", "add", "delete") and self._words[self._at + 1].startswith("@"):
            return self._set_statement()
        return self._match()

    def _verdict(self) -> Json:
        word = self._next()
        return {word: {"target": self._next()}} if word in ("jump", "goto") else {word: None}

    def _side_effect(self) -> Json:
        word = self._next()
        counting = word == "counter"
        said: dict[str, Json] = {"packets": 0, "bytes": 0} if counting else {}
        while self._peek() in (said if counting else ("prefix", "level", "group", "flags", "snaplen")):
            name = self._next()
            said[name] = atom(self._next())
        return {word: said or None}

    def _reject(self) -> Json:
        self._next()
        kind, expr = "icmp", "port-unreachable"
        if self._take("with"):
            kind, expr = self._next(), self._next()
            if expr == "type":
                expr = self._next()
            if (kind, expr) == ("tcp", "reset"):
                return {"reject": {"type": "tcp reset"}}
        return {"reject": {"type": kind, "expr": expr}}

    def _nat(self) -> Json:
        word = self._next()
        said: dict[str, Json] = {}
        if self._take("ip", "ip6"):
            said["family"] = self._words[self._at - 1]
        if self._take("addr"):
            self._expect(".")
            self._expect("port")
        if self._take("to"):
            said.update(self._place())
        flags: list[str] = []
        while self._take(*_NAT_FLAGS) or (flags and self._take(",")):
            flags.append(self._words[self._at - 1])
        if flags:
            given = [flag for flag in flags if flag != ","]
            said["flags"] = given[0] if len(given) == 1 else given
        return {word: said or None}

    def _place(self) -> dict[str, Json]:
        """Where a translation leads: ``10.0.0.1:80``, ``:80``, ``[v6]:80``, or an expression with a map."""
        word = self._peek()
        if word.startswith(":") and word[1:2].isdigit():
            return {"port": atom(self._next()[1:])}
        if bracket := re.fullmatch(r"\[([^\]]+)\](?::(\S+))?", word):
            self._next()
            return {"addr": bracket[1], **({"port": atom(bracket[2])} if bracket[2] else {})}
        if literal := re.fullmatch(r"(\d+\.\d+\.\d+\.\d+(?:-\d+\.\d+\.\d+\.\d+)?)(?::(\S+))?", word):
            self._next()
            return {"addr": atom(literal[1]), **({"port": atom(literal[2])} if literal[2] else {})}
        if ":" in word and not word.startswith("@"):
            return {"addr": atom(self._next())}
        key = self._expression()
        self._expect("map")
        return {"addr": {"map": {"key": key, "data": self._right()}}}

    def _set_statement(self) -> Json:
        operation, name = self._next(), self._next()
        self._expect("{")
        key = self._with_attributes(self._expression())
        data = self._datum_of_statement() if self._take(":") else None
        self._expect("}")
        if data is not None:
            return {"map": {"op": operation, "elem": key, "data": data, "map": name}}
        return {"set": {"op": operation, "elem": key, "set": name}}

    def _datum_of_statement(self) -> Json:
        return self._verdict() if self._peek() in (*_VERDICTS, "jump", "goto") else self._expression()

    def _match(self) -> Json:
        left = self._expression()
        if self._take("vmap"):
            return {"vmap": {"key": left, "data": self._right()}}
        if self._take("set"):
            return {"mangle": {"key": left, "value": self._expression()}}
        several = isinstance(left, dict) and left.get("ct", {}).get("key") in ("state", "status", "label")
        operator = self._next() if self._peek() in _OPERATORS else "in" if several else "=="
        return {"match": {"op": operator, "left": left, "right": self._right()}}

    def _expression(self) -> Json:
        parts = [self._primary()]
        while self._take("."):
            parts.append(self._primary())
        whole: Json = parts[0] if len(parts) == 1 else {"concat": parts}
        while self._peek() in ("&", "|", "^", "and", "or", "xor"):
            sign = {"and": "&", "or": "|", "xor": "^"}.get(self._peek(), self._peek())
            self._next()
            whole = {sign: [whole, self._primary()]}
        return whole

    def _primary(self) -> Json:
        word = self._next()
        if NUMBER.fullmatch(word):
            return int(word, 0)
        if word in _HEADERS and self._peek() in _FIELDS:
            return {"payload": {"protocol": word, "field": self._next()}}
        if word == "meta":
            return {"meta": {"key": self._next()}}
        if word in _BARE_META:
            return {"meta": {"key": word}}
        if word == "ct":
            return self._connection()
        if word == "fib":
            flags = [self._next()]
            while self._take("."):
                flags.append(self._next())
            return {"fib": {"result": self._next(), "flags": flags}}
        if word == "numgen":
            return {"numgen": {"mode": self._next(), "offset": 0, **self._modulus()}}
        if word == "jhash":
            return {"jhash": {"expr": self._expression(), **self._modulus()}}
        if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", word):
            return word
        raise NotUnderstood(word)

    def _modulus(self) -> dict[str, int]:
        self._expect("mod")
        said = {"mod": int(self._next())}
        while self._peek() in ("offset", "seed"):
            name = self._next()
            said[name] = int(self._next(), 0)
        return said

    def _connection(self) -> Json:
        said: dict[str, Json] = {}
        if self._take("original", "reply"):
            said["dir"] = self._words[self._at - 1]
        family = f"{self._next()} " if self._peek() in ("ip", "ip6") else ""
        return {"ct": {"key": family + self._next(), **said}}

    def _right(self) -> Json:
        if self._take("{"):
            return {"set": self.elements()}
        first = self._value()
        found = [first]
        while self._take(","):
            found.append(self._value())
        return first if len(found) == 1 else found

    def _value(self) -> Json:
        parts = [atom(self._next())]
        while self._take("."):
            parts.append(atom(self._next()))
        return parts[0] if len(parts) == 1 else {"concat": parts}

    def elements(self) -> list[Json]:
        """Elements up to the closing brace."""
        found: list[Json] = []
        while not self._take("}"):
            if self._take(","):
                continue
            key = self._with_attributes(self._value())
            if self._take(":"):
                found.append([key, self._datum()])
            else:
                found.append(key)
        return found

    def _with_attributes(self, key: Json) -> Json:
        """A key with its timer, counter and comment, if there are any."""
        said: dict[str, Json] = {}
        while self._peek() not in (",", "}", ":"):
            word = self._next()
            if word in ("timeout", "expires"):
                said[word] = read_duration(self._next())
            elif word == "comment":
                said[word] = unquote(self._next())
            elif word == "counter":
                said[word] = {self._next(): int(self._next()) for _ in range(2)} if self._peek() == "packets" else {}
            else:
                raise NotUnderstood(word)
        return {"elem": {"val": key, **said}} if said else key

    def _datum(self) -> Json:
        if self._peek() in _VERDICTS or self._peek() in ("jump", "goto"):
            return self._verdict()
        return self._value()
