"""An HTTPRoute's filters: what happens to a request besides its being sent on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kubelab.routing.model import HeaderChange, PathMatch, Redirect
from kubelab.routing.objects import Object

SUPPORTED = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite")


class Unsupported(Exception):
    """A filter that is not to be had here. To leave it out would be wrong, so its rule is answered with 500."""


class Filters(NamedTuple):
    request_headers: HeaderChange = HeaderChange()
    response_headers: HeaderChange = HeaderChange()
    rewrite_host: str = ""
    rewrite_path: PathMatch | None = None
    redirect: Redirect | None = None


def filters(listed: Iterable[Object]) -> Filters:
    """What the filters of a rule ask for together. Raises `Unsupported`."""
    wanted = Filters()
    for each in listed:
        match each["type"]:
            case "RequestHeaderModifier":
                wanted = wanted._replace(request_headers=_headers(each["requestHeaderModifier"]))
            case "ResponseHeaderModifier":
                wanted = wanted._replace(response_headers=_headers(each["responseHeaderModifier"]))
            case "URLRewrite":
                rewrite = each["urlRewrite"]
                host, path = rewrite.get("hostname") or "", _path(rewrite.get("path"))
                wanted = wanted._replace(rewrite_host=host, rewrite_path=path)
            case "RequestRedirect":
                wanted = wanted._replace(redirect=_redirect(each["requestRedirect"]))
            case other:
                raise Unsupported(f"the filter {other} is not served here; {', '.join(SUPPORTED)} are")
    return wanted


def _headers(change: Object) -> HeaderChange:
    def pairs(member: str) -> tuple[tuple[str, str], ...]:
        return tuple((each["name"], _line(each["value"])) for each in change.get(member) or ())

    made = HeaderChange(pairs("set"), pairs("add"), tuple(change.get("remove") or ()))
    if "host" in {name.lower() for name in (*dict((*made.set, *made.add)), *made.remove)}:
        raise Unsupported("the header Host is changed by URLRewrite, with hostname, and by no other filter")
    return made


def _line(text: str) -> str:
    """A text that fits into a header: the proxy takes in nothing of a port's routes when one of them has another."""
    if any(character in text for character in "\0\r\n"):
        raise Unsupported(f"{text!r} is more than one line, and no header has that")
    return text


def _redirect(wish: Object) -> Redirect:
    return Redirect(
        status=wish.get("statusCode") or 302,
        scheme=wish.get("scheme") or "",
        host=wish.get("hostname") or "",
        port=wish.get("port") or 0,
        path=_path(wish.get("path")),
    )


def _path(change: Object | None) -> PathMatch | None:
    if not change:
        return None
    if change["type"] == "ReplaceFullPath":
        return PathMatch("Exact", _line(change.get("replaceFullPath") or "/"))
    return PathMatch("Prefix", _line(change.get("replacePrefixMatch") or ""))
