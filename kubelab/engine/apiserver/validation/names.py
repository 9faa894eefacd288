"""The syntax of names, labels and annotations.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and .../labels/; the wording is
that of apimachinery's ``util/validation``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from kubelab.engine.apiserver.validation.fields import FieldError, invalid, required

_LINK_LOCAL_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"

_LABEL_RE, _SUBDOMAIN_RE, _DNS1035_RE = re.compile(_LABEL), re.compile(_SUBDOMAIN), re.compile(_DNS1035)
_WILDCARD_RE = re.compile(_WILDCARD)
_QUALIFIED_RE, _VALUE_RE = re.compile(_QUALIFIED), re.compile(_VALUE)
_ENV_RE = re.compile(r"[ -<>-~]+")
_CONFIG_KEY_RE = re.compile(r"[-._a-zA-Z0-9]+")

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_WILDCARD_RULE = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    f"regex used for validation is '{_WILDCARD}')"
)
_DNS1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    f"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_DNS1035}')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_WITH_PREFIX = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
    f"regex used for validation is '{_VALUE}')"
)


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def _check(value: str, pattern: re.Pattern[str], rule: str, limit: int) -> list[str]:
    problems = [] if len(value.encode()) <= limit else [_too_long(limit)]
    return problems if pattern.fullmatch(value) else [*problems, rule]


def dns1123_label(value: str) -> list[str]:
    """A namespace's or a container's name."""
    return _check(value, _LABEL_RE, _LABEL_RULE, 63)


def dns1123_subdomain(value: str) -> list[str]:
    """Most objects' names."""
    return _check(value, _SUBDOMAIN_RE, _SUBDOMAIN_RULE, 253)


def wildcard_subdomain(value: str) -> list[str]:
    """A host such as ``*.example.com``: the wildcard is the whole first label."""
    return _check(value, _WILDCARD_RE, _WILDCARD_RULE, 253)


def path_segment(value: str) -> list[str]:
    """A name that may stand in a URL between two slashes."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in value]


def dns1035_label(value: str) -> list[str]:
    """A Service's name."""
    return _check(value, _DNS1035_RE, _DNS1035_RULE, 63)


def qualified_name(value: str) -> list[str]:
    """A label's or an annotation's key: ``[prefix/]name``."""
    prefix, slash, name = value.rpartition("/")
    problems: list[str] = []
    if "/" in prefix:
        return [f"a valid label key {_QUALIFIED_RULE.removeprefix('name part ')} {_WITH_PREFIX}"]
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns1123_subdomain(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append(f"name part {_too_long(63)}")
    if not _QUALIFIED_RE.fullmatch(name):
        problems.append(_QUALIFIED_RULE)
    return problems


def label_value(value: str) -> list[str]:
    """A label's value."""
    return _check(value, _VALUE_RE, _VALUE_RULE, 63)


def labels(value: Mapping[str, str] | None, field: str) -> list[FieldError]:
    """Every key and value of a label map."""
    errors: list[FieldError] = []
    for key, text in (value or {}).items():
        errors += [invalid(field, key, problem) for problem in qualified_name(key)]
        errors += [invalid(field, text, problem) for problem in label_value(text)]
    return errors


def annotation_map(value: Mapping[str, str] | None, field: str) -> list[FieldError]:
    """Keys of an annotation map, and its size (256 KiB in all)."""
    errors: list[FieldError] = []
    size = 0
    for key, text in (value or {}).items():
        errors += [invalid(field, key, problem) for problem in qualified_name(key.lower())]
        size += len(key) + len(text.encode())
    if size > 256 * 1024:
        errors.append(FieldError("FieldValueTooLong", field, None, "may not be more than 262144 bytes"))
    return errors


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret."""
    rule = (
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
        "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
    )
    problems = _check(value, _CONFIG_KEY_RE, rule, 253)
    if value in (".", ".."):
        problems.append(f"must not be '{value}'")
    elif value.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def env_name(value: str) -> list[str]:
    """The name of an environment variable."""
    rule = (
        "a valid environment variable name must consist only of printable ASCII characters other than '=' "
        "(regex used for validation is '[ -<>-~]+')"
    )
    return [] if _ENV_RE.fullmatch(value) else [rule]


def port_name(value: str) -> list[str]:
    """An IANA service name: the name of a container's port."""
    problems: list[str] = []
    if len(value) > 15:
        problems.append("must be no more than 15 bytes")
    if not re.fullmatch(r"[-a-z0-9]*", value):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        problems.append("must not begin or end with a hyphen")
    return problems


def port_number(value: Any) -> list[str]:
    """1 to 65535."""
    return [] if isinstance(value, int) and 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def ip_address(value: str) -> list[str]:
    """An IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def cidr(value: str) -> list[str]:
    """A block of IPv4 or IPv6 addresses."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    return [] if "/" in value else ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


def special_ip_address(value: str) -> list[str]:
    """Addresses that stand for no other machine."""
    ip = ipaddress.ip_address(value)
    problems = []
    if ip.is_unspecified:
        problems.append("may not be unspecified (0.0.0.0 or ::)")
    if ip.is_loopback:
        problems.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if ip.is_link_local:
        problems.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if any(ip in span for span in _LINK_LOCAL_MULTICAST if span.version == ip.version):
        problems.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return problems


def all_of(field: str, value: Any, problems: list[str]) -> list[FieldError]:
    """One error for each problem with a value; required when it is empty."""
    if value in ("", None):
        return [required(field)]
    return [invalid(field, value, problem) for problem in problems]
