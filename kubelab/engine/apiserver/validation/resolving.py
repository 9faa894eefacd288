"""The rules of what a pod says about names: DNS, host name, host aliases.

Source: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-dns-config
"""

from __future__ import annotations

import re
from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, invalid, one_of, required

Spec = dict[str, Any]

DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
MOST_NAMESERVERS = 3
MOST_SEARCHES = 32
MOST_SEARCH_CHARACTERS = 2048


def resolving(spec: Spec, at: str) -> list[FieldError]:
    """Everything wrong with what a pod's spec says about names."""
    errors = one_of(f"{at}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    for member in ("hostname", "subdomain"):
        value = spec.get(member)
        errors += [invalid(f"{at}.{member}", value, problem) for problem in names.dns1123_label(value)] if value else []
    for index, alias in enumerate(spec.get("hostAliases") or []):
        here, ip = f"{at}.hostAliases[{index}]", alias.get("ip", "")
        errors += [invalid(f"{here}.ip", ip, problem) for problem in names.ip_address(ip)]
        for number, host in enumerate(alias.get("hostnames") or []):
            errors += [invalid(f"{here}.hostnames[{number}]", host, why) for why in names.dns1123_subdomain(host)]
    config, here = spec.get("dnsConfig"), f"{at}.dnsConfig"
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [*errors, required(here, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [*errors, required(f"{here}.nameservers", why)]
    return errors + _config(config or {}, here)


def _config(config: Spec, at: str) -> list[FieldError]:
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    errors: list[FieldError] = []
    if len(servers) > MOST_NAMESERVERS:
        why = f"must not have more than {MOST_NAMESERVERS} nameservers"
        errors.append(invalid(f"{at}.nameservers", servers, why))
    for index, server in enumerate(servers):
        errors += [invalid(f"{at}.nameservers[{index}]", server, problem) for problem in names.ip_address(server)]
    if len(searches) > MOST_SEARCHES:
        errors.append(invalid(f"{at}.searches", searches, f"must not have more than {MOST_SEARCHES} search paths"))
    if len(" ".join(searches)) > MOST_SEARCH_CHARACTERS:
        why = f"must not have more than {MOST_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        errors.append(invalid(f"{at}.searches", searches, why))
    for index, domain in enumerate(searches):
        errors += [invalid(f"{at}.searches[{index}]", domain, problem) for problem in _search(domain)]
    for index, option in enumerate(config.get("options") or []):
        if not option.get("name"):
            errors.append(required(f"{at}.options[{index}]", "must not be empty"))
    return errors


def _search(domain: str) -> list[str]:
    """A search domain may also be the root, end in a dot and have underscores (KEP-4427)."""
    if domain == ".":
        return []
    return names.dns1123_subdomain(re.sub("_", "-", domain.removesuffix(".")).strip("-"))
