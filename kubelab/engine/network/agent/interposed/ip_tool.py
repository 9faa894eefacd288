"""``ip`` in a place: addresses, links and routes in the words of iproute2, or as its JSON (ip(8))."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from kubelab.engine.network.agent.interposed.links import Link, Links, Route
from kubelab.engine.network.agent.interposed.output import Output
from kubelab.engine.network.agent.interposed.places import Site

_OBJECTS = ("address", "link", "route")
_SHOW = ("show", "list", "lst", "ls")
_REFUSED = "ip: this network shows addresses, links and routes, and changes none (ip [-j] address|link|route)."


def answer(links: Links, site: Site, argv: Sequence[str]) -> Output:
    """What ``ip`` with these words would have shown."""
    options = {word.lstrip("-") for word in argv if word.startswith("-")}
    words = [word for word in argv if not word.startswith("-")]
    if {"V", "Version"} & options:
        return Output(0, "ip utility, iproute2 (answered by kubelab)\n")
    kind = next((each for each in _OBJECTS if words and each.startswith(words[0])), "")
    if words and words[0] in ("addr", "a"):
        kind = "address"
    rest = words[1:]
    if not kind or (rest and rest[0] not in (*_SHOW, "get", "dev", "table")):
        return Output(1, stderr=f"{_REFUSED}\n")
    if "6" in options:
        return Output(0, "[]\n" if _json(options) else "")
    if kind == "route":
        return _routes(links, site, rest, _json(options))
    shown = _links(links, site, rest)
    if not shown:
        return Output(1, stderr=f'Device "{rest[-1]}" does not exist.\n')
    if kind == "link":
        shown = [{key: value for key, value in link.items() if key != "addr_info"} for link in shown]
    if _json(options):
        return Output(0, _as_json(shown))
    if {"br", "brief"} & options:
        return Output(0, "".join(map(_brief, shown)))
    return Output(0, "".join(_one_line(link) if {"o", "oneline"} & options else _link(link) for link in shown))


def _json(options: set[str]) -> bool:
    return bool({"j", "json"} & options)


def _as_json(said: Any) -> str:
    return json.dumps(said, separators=(",", ":")) + "\n"


def _links(links: Links, site: Site, words: Sequence[str]) -> list[Link]:
    wanted = [word for word in words if word not in (*_SHOW, "dev")]
    return [link for link in links.interfaces(site) if not wanted or link["ifname"] == wanted[0]]


def _link(link: Link) -> str:
    peer = f"@if{link['link_index']}" if "link_index" in link else ""
    master = f"master {link['master']} " if "master" in link else ""
    netns = f" link-netnsid {link['link_netnsid']}" if "link_netnsid" in link else ""
    mode = "" if "addr_info" in link else "mode DEFAULT "
    lines = [
        f"{link['ifindex']}: {link['ifname']}{peer}: <{','.join(link['flags'])}> mtu {link['mtu']} qdisc "
        f"{link['qdisc']} {master}state {link['operstate']} {mode}group {link['group']} qlen {link['txqlen']}",
        f"    link/{link['link_type']} {link['address']} brd {link['broadcast']}{netns}",
    ]
    for address in link.get("addr_info", ()):
        lines += [f"    {_address(address)}", "       valid_lft forever preferred_lft forever"]
    return "".join(f"{line}\n" for line in lines)


def _address(address: dict[str, Any]) -> str:
    broadcast = f" brd {address['broadcast']}" if "broadcast" in address else ""
    ip = f"{address['local']}/{address['prefixlen']}"
    return f"inet {ip}{broadcast} scope {address['scope']} {address['label']}"


def _one_line(link: Link) -> str:
    if "addr_info" not in link:
        return _link(link).rstrip("\n").replace("\n", "\\") + "\n"
    life = "\\       valid_lft forever preferred_lft forever"
    return "".join(
        f"{link['ifindex']}: {link['ifname']}    {_address(address)}{life}\n" for address in link["addr_info"]
    )


def _brief(link: Link) -> str:
    name = f"{link['ifname']}@if{link['link_index']}" if "link_index" in link else link["ifname"]
    last = [f"{each['local']}/{each['prefixlen']}" for each in link.get("addr_info", ())]
    if "addr_info" not in link:
        last = [link["address"], f"<{','.join(link['flags'])}>"]
    return f"{name:<16} {link['operstate']:<14} {' '.join(last)} \n"


def _routes(links: Links, site: Site, words: Sequence[str], as_json: bool) -> Output:
    if words[:1] == ["get"]:
        return _route_to(links, site, words[1] if len(words) > 1 else "", as_json)
    given = dict(pairwise(words))
    table, device = given.get("table", "main"), given.get("dev", "")
    if table not in ("main", "local", "all", "default"):
        return Output(2, stderr="Error: ipv4: FIB table does not exist.\nDump terminated\n")
    found = links.routes(site) if table in ("main", "all") else []
    found += links.local_routes(site) if table in ("local", "all") else []
    found = [route for route in found if device in ("", route["dev"])]
    if table == "local":
        found = [{key: value for key, value in route.items() if key != "table"} for route in found]
    return Output(0, _as_json(found) if as_json else "".join(f"{_route(each)} \n" for each in found))


def _route(route: Route) -> str:
    words = [route["type"]] if "type" in route else []
    words.append(route["dst"])
    for key, word in (("gateway", "via"), ("dev", "dev"), ("table", "table"), ("protocol", "proto"),
                      ("scope", "scope"), ("prefsrc", "src")):  # fmt: skip
        if key in route:
            words += [word, route[key]]
    return " ".join(words)


def _route_to(links: Links, site: Site, ip: str, as_json: bool) -> Output:
    try:
        ipaddress.IPv4Address(ip)
    except ValueError:
        return Output(1, stderr=f'Error: any valid prefix is expected rather than "{ip}".\n')
    found = links.route_to(site, ip)
    if found is None:
        return Output(2, stderr="RTNETLINK answers: Network is unreachable\n")
    said: Route = {key: found[key] for key in ("type", "dst", "gateway", "dev", "prefsrc") if key in found}
    said |= {"flags": [], "uid": 0, "cache": ["local"] if "type" in found else []}
    if as_json:
        return Output(0, _as_json([said]))
    return Output(0, f"{_route(said)} uid 0 \n    cache {'<local> ' if 'type' in found else ''}\n")
