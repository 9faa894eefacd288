"""From ``[SCHEME:]NAME[:PORT]`` to what is behind that name at this moment.

A Service leads to one of its ready pods, chosen by chance: 1.36 reads the Endpoints for that, and passes over addresses
that belong to no pod of the namespace, so that nobody reaches the rest of the network by writing Endpoints
(https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors).
"""

from __future__ import annotations

import ipaddress
import json
import random
import re
from dataclasses import dataclass
from typing import NamedTuple

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kubelet import KUBELET_PORT, KubeletRelay, address_of
from kubelab.engine.apiserver.routing import Target
from kubelab.engine.apiserver.status import StatusError, bad_request, not_found, unavailable
from kubelab.engine.apiserver.storage import Store

_NUMBER = re.compile(r"[+-]?[0-9]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65535


@dataclass(frozen=True)
class Location:
    """A server: ``kubelet`` if it is a node agent, which shows and wants a certificate and listens on this machine."""

    scheme: str
    host: str
    port: int
    kubelet: bool = False

    @property
    def authority(self) -> str:
        """``10.244.1.5:8080``."""
        return f"{self.host}:{self.port}"


class _Wish(NamedTuple):
    """What a path's last word but one says."""

    text: str
    scheme: str
    name: str
    port: str


class Locations:
    """Looks into the store, at every request anew."""

    def __init__(self, store: Store, relay: KubeletRelay) -> None:
        self._store = store
        self._relay = relay

    def find(self, target: Target) -> Location:
        """Where a proxy subresource leads. Raises a Status: 400, 404, or 503 where nobody would answer."""
        wish = _wish(target)
        if target.rtype is r.SERVICES:
            return self._service(target.namespace, wish)
        return self._pod(target.namespace, wish) if target.rtype is r.PODS else self._node(wish)

    def _get(self, rtype: r.ResourceType, namespace: str, name: str) -> Object:
        stored = self._store.get(rtype.storage_key, (namespace, name))
        if stored is None:
            raise not_found(rtype, name)
        return stored.obj

    # -- Services --------------------------------------------------------------------------------

    def _service(self, namespace: str, wish: _Wish) -> Location:
        port = wish.port
        if _NUMBER.fullmatch(port):
            port = _port_name(self._get(r.SERVICES, namespace, wish.name), int(port))
        subsets = self._get(r.ENDPOINTS, namespace, wish.name).get("subsets") or []
        if not subsets:
            raise unavailable(f'no endpoints available for service "{wish.name}"')
        for subset in random.sample(subsets, len(subsets)):
            numbers = [each["port"] for each in subset.get("ports") or () if each.get("name", "") == port]
            addresses = subset.get("addresses") or []
            for address in random.sample(addresses, len(addresses) if numbers else 0):
                if self._is_of_a_pod(namespace, address):
                    return _location(wish, address["ip"], numbers[0])
        raise unavailable(f'no endpoints available for service "{wish.text}"')

    def _is_of_a_pod(self, namespace: str, address: Object) -> bool:
        of = address.get("targetRef") or {}
        if of.get("namespace") != namespace:
            return False
        pod = self._store.get(r.PODS.storage_key, (namespace, of.get("name", "")))
        return pod is not None and address["ip"] in _ips(pod.obj)

    # -- pods ------------------------------------------------------------------------------------

    def _pod(self, namespace: str, wish: _Wish) -> Location:
        pod = self._get(r.PODS, namespace, wish.name)
        declared = (port for one in pod["spec"]["containers"] for port in one.get("ports") or ())
        number = _number(wish) or next((port["containerPort"] for port in declared), 0)
        ip = next(iter(_ips(pod)), "")
        if not _is_global(ip):
            raise bad_request("address not allowed")
        return _location(wish, ip, number)

    # -- nodes -----------------------------------------------------------------------------------

    def _node(self, wish: _Wish) -> Location:
        host, port = self._relay.kubelet_of(wish.name)
        asked = _number(wish)
        if asked in (0, port, KUBELET_PORT):
            return Location("https", host, port, kubelet=True)
        ip = address_of(self._get(r.NODES, "", wish.name), "InternalIP")
        if not _is_global(ip):
            raise bad_request("address not allowed")
        return _location(wish, ip, asked)


def _wish(target: Target) -> _Wish:
    parts = target.name.split(":")
    scheme, name, port = parts if len(parts) == 3 else ("", *parts, "")[:3]
    if len(parts) > 3 or not name or scheme not in ("", "http", "https"):
        raise _invalid(target.rtype.singular, target.name)
    wish = _Wish(target.name, scheme, name, port)
    if target.rtype is not r.SERVICES and port and not 0 < _number(wish) <= _LARGEST_PORT:
        raise _invalid(target.rtype.singular, target.name)
    return wish


def _invalid(what: str, text: str) -> StatusError:
    return bad_request(f"invalid {what} request {json.dumps(text, ensure_ascii=False)}")


def _number(wish: _Wish) -> int:
    """The port; 0 for none, or for a name."""
    return int(wish.port) if _NUMBER.fullmatch(wish.port) else 0


def _port_name(service: Object, number: int) -> str:
    for port in service["spec"].get("ports") or ():
        if port["port"] == number:
            return str(port.get("name", ""))
    raise unavailable(f'no service port {number} found for service "{service["metadata"]["name"]}"')


def _location(wish: _Wish, host: str, port: int) -> Location:
    scheme = wish.scheme or "http"
    return Location(scheme, host, port or _DEFAULT_PORTS[scheme])


def _ips(pod: Object) -> list[str]:
    return [each["ip"] for each in (pod.get("status") or {}).get("podIPs") or () if each.get("ip")]


def _is_global(ip: str) -> bool:
    """Whether it may be a pod's or a node's: no loopback, no multicast, nothing of one link."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_multicast or address.is_link_local or address.is_unspecified)
