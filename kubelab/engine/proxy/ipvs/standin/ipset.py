"""``ipset`` where there is none: the sets of the plan, in its formats (ipset 7)."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.proxy.ipvs.plan import Plan
from kubelab.engine.proxy.ipvs.sets import IpSet
from kubelab.engine.proxy.ipvs.standin.ipvsadm import UsageError

_LISTING = {"list": "list", "-L": "list", "--list": "list", "-l": "list", "save": "save", "-S": "save"}
_SHORT = {"-n": "name", "-name": "name", "-t": "terse", "-terse": "terse"}


def answer(plan: Plan, words: Iterable[str]) -> str:
    """What ``ipset list``, ``save`` and ``test`` print. Raises `UsageError`."""
    words = [word for word in words if word not in ("-exist", "-!", "-q", "-quiet", "-s", "-sorted")]
    by_name = {each.name: each for each in plan.sets.values()}
    verb, *rest = words or ["list"]
    if verb == "test" and len(rest) == 2:
        return _test(_one(by_name, rest[0]), rest[1])
    if verb not in _LISTING:
        raise UsageError(
            f"ipset {verb} is not answered here: this kernel holds no set of kube-proxy's, and what is evaluated in "
            "their place can be listed only (list, save, test)"
        )
    short = next((_SHORT[word] for word in rest if word in _SHORT), "")
    as_save = _LISTING[verb] == "save" or "-o save" in " ".join(rest)
    names = [word for word in rest if not word.startswith("-") and word != "save"]
    sets = [_one(by_name, name) for name in names] or list(by_name.values())
    if as_save:
        return "".join(f"{line}\n" for each in sets for line in (each.create_line(), *each.add_lines()))
    if short == "name":
        return "".join(f"{each.name}\n" for each in sets)
    return "\n".join(_listed(plan, each, members=not short) for each in sets)


def _one(by_name: dict[str, IpSet], name: str) -> IpSet:
    if name not in by_name:
        raise UsageError("The set with the given name does not exist")
    return by_name[name]


def _test(found: IpSet, entry: str) -> str:
    if entry not in found.entries:
        raise UsageError(f"{entry} is NOT in set {found.name}.")
    return f"{entry} is in set {found.name}.\n"


def _listed(plan: Plan, each: IpSet, *, members: bool) -> str:
    """Without its revision and its size in memory, which only a set in the kernel has."""
    used = plan.restore_text().count(f"--match-set {each.name} ")
    header = each.create_line().partition(each.type)[2].strip()
    lines = [f"Name: {each.name}", f"Type: {each.type}", f"Header: {header}", f"References: {used}"]
    lines.append(f"Number of entries: {len(each.entries)}")
    if members:
        lines += ["Members:", *sorted(each.entries)]
    return "".join(f"{line}\n" for line in lines)
