"""The ``format`` of strings. A format that is not known here checks nothing, as upstream."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime
from urllib.parse import urlsplit

_LABEL = r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}|({_LABEL}\.)+[a-zA-Z]{{2,63}}")
"""One label, or several, of which the last has only letters."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_MAC = re.compile(r"([0-9A-Fa-f]{2}([:-]))([0-9A-Fa-f]{2}\2){4}[0-9A-Fa-f]{2}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_DURATION = re.compile(r"[-+]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*)")
_WORDY_DURATION = re.compile(
    r"\d+\s*(ns|nano\w*|us|µs|micro\w*|ms|milli\w*|s|sec\w*|m|min\w*|h|hours?|d|days?|w|weeks?)"
)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)")


def _reads(reader: Callable[[str], object]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            reader(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return reads


def _date_time(text: str) -> bool:
    whole = text.upper().replace("Z", "+00:00")
    return bool(_DATE_TIME.fullmatch(text)) and _reads(datetime.fromisoformat)(whole)


def _uri(text: str) -> bool:
    return text.startswith("/") or (bool(urlsplit(text).scheme) and " " not in text)


_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": _reads(date.fromisoformat),
    "duration": lambda text: bool(_DURATION.fullmatch(text) or _WORDY_DURATION.fullmatch(text)),
    "byte": _reads(lambda text: base64.b64decode(text, validate=True)),
    "ipv4": _reads(ipaddress.IPv4Address),
    "ipv6": _reads(ipaddress.IPv6Address),
    "cidr": lambda text: "/" in text and _reads(lambda one: ipaddress.ip_network(one, strict=False))(text),
    "mac": lambda text: bool(_MAC.fullmatch(text)),
    "uuid": lambda text: bool(_UUID.fullmatch(text)),
    "hostname": lambda text: len(text) <= 255 and bool(_HOSTNAME.fullmatch(text)),
    "email": lambda text: bool(_EMAIL.fullmatch(text)),
    "uri": _uri,
}


def is_of_format(text: str, name: str) -> bool:
    """Whether the text is of the format."""
    check = _FORMATS.get(name)
    return check is None or check(text)
