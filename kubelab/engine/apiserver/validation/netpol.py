"""The rules of a NetworkPolicy, as Kubernetes 1.36 has them.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, invalid, not_supported, required
from kubelab.engine.apiserver.validation.metadata import label_selector

Spec = dict[str, Any]

_TYPES = ("Egress", "Ingress")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PEERS = {"ingress": "from", "egress": "to"}


def network_policy_spec(spec: Spec) -> list[FieldError]:
    """Everything wrong with a NetworkPolicy's spec."""
    errors = label_selector(spec.get("podSelector") or {}, "spec.podSelector")
    for direction, peers in _PEERS.items():
        for index, rule in enumerate(spec.get(direction) or []):
            here = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or []):
                errors += _port(port, f"{here}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or []):
                errors += _peer(peer, f"{here}.{peers}[{number}]")
    types = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        return [*errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    return errors + [not_supported("spec.policyTypes", kind, _TYPES) for kind in types if kind not in _TYPES]


def ambiguous_blocks(spec: Spec) -> list[str]:
    """A warning for every block of addresses whose own address is not the block's first."""
    return [
        f"{at}: CIDR value {_quoted(text)} is ambiguous in this context (should be {_quoted(str(_block(text)))} or "
        f"{_quoted(text.partition('/')[0] + '/' + str(_block(text).max_prefixlen))}?)"
        for at, text in _blocks(spec)
        if not names.cidr(text) and not text.startswith(f"{_block(text).network_address}/")
    ]


def _quoted(text: str) -> str:
    return f'"{text}"'


def _block(text: str) -> Any:
    return ip_network(text, strict=False)


def _blocks(spec: Spec) -> list[tuple[str, str]]:
    found = []
    for direction, peers in _PEERS.items():
        for index, rule in enumerate(spec.get(direction) or []):
            for number, peer in enumerate(rule.get(peers) or []):
                block = peer.get("ipBlock") or {}
                here = f"spec.{direction}[{index}].{peers}[{number}].ipBlock"
                found.append((f"{here}.cidr", block.get("cidr") or ""))
                found += [(f"{here}.except[{at}]", text) for at, text in enumerate(block.get("except") or [])]
    return found


def _port(port: Spec, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if port.get("protocol") not in _PROTOCOLS:
        errors.append(not_supported(f"{here}.protocol", port.get("protocol"), _PROTOCOLS))
    number, last = port.get("port"), port.get("endPort")
    if isinstance(number, int):
        errors += [invalid(f"{here}.port", number, problem) for problem in names.port_number(number)]
        if last is not None and last < number:
            errors.append(invalid(f"{here}.endPort", last, "must be greater than or equal to `port`"))
        if last is not None:
            errors += [invalid(f"{here}.endPort", last, problem) for problem in names.port_number(last)]
        return errors
    if last is not None:
        why = "non-numeric" if number is not None else "not specified"
        errors.append(invalid(f"{here}.endPort", last, f"may not be specified when `port` is {why}"))
    if number is not None:
        errors += [invalid(f"{here}.port", number, problem) for problem in names.port_name(number)]
    return errors


def _peer(peer: Spec, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = [member for member in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(member) is not None]
    for member in given:
        if member == "ipBlock":
            errors += _ip_block(peer[member], f"{here}.ipBlock")
        else:
            errors += label_selector(peer[member], f"{here}.{member}")
    if not given:
        errors.append(required(here, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        errors.append(forbidden(here, "may not specify both ipBlock and another peer"))
    return errors


def _ip_block(block: Spec, here: str) -> list[FieldError]:
    text = block.get("cidr") or ""
    if not text:
        return [required(f"{here}.cidr")]
    problems = names.cidr(text)
    if problems:
        return [invalid(f"{here}.cidr", text, problem) for problem in problems]
    whole = _block(text)
    errors: list[FieldError] = []
    for index, part in enumerate(block.get("except") or []):
        at = f"{here}.except[{index}]"
        problems = names.cidr(part)
        errors += [invalid(at, part, problem) for problem in problems]
        if not problems and not _is_part(_block(part), whole):
            errors.append(invalid(at, part, "must be a strict subset of `cidr`"))
    return errors


def _is_part(part: Any, whole: Any) -> bool:
    return part.version == whole.version and part != whole and part.subnet_of(whole)
