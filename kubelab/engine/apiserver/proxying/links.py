"""Links that lead back to the API server's path: redirects, and what pages refer to.

A server behind the proxy believes that it is asked for ``/``. As apimachinery's proxy does, links with an absolute path
to the same host get the proxy's path in front; relative ones need nothing, and other hosts' are left alone. Scripts and
style sheets are not looked into.
"""

from __future__ import annotations

import posixpath
import zlib
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit, urlunsplit

LARGEST_PAGE = 4 * 1024 * 1024
"""Bytes; larger pages pass as they are."""
_GZIP = 16 + zlib.MAX_WBITS

_LINKS: dict[str, tuple[str, ...]] = {
    "a": ("href",), "applet": ("codebase",), "area": ("href",), "audio": ("src",), "base": ("href",),
    "blockquote": ("cite",), "body": ("background",), "button": ("formaction",), "command": ("icon",),
    "del": ("cite",), "embed": ("src",), "form": ("action",), "frame": ("longdesc", "src"), "head": ("profile",),
    "html": ("manifest",), "iframe": ("longdesc", "src"), "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"), "ins": ("cite",), "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"), "q": ("cite",), "script": ("src",), "source": ("src",),
    "video": ("poster", "src"),
}  # fmt: skip
"""Element → its attributes that hold a URL (HTML 4.01 and HTML)."""


@dataclass(frozen=True)
class Links:
    """Of one request: the proxy's path, the server's ``host:port``, and the host that the client asked."""

    prefix: str
    server: str
    asked: str

    def url(self, text: str) -> str:
        """A link as the client has to follow it."""
        try:
            parts = urlsplit(text)
        except ValueError:
            return text
        if parts.netloc not in ("", self.server, self.asked) or not parts.path.startswith("/"):
            return text
        scheme, host = (parts.scheme, parts.netloc) if parts.netloc == self.asked else ("", "")
        path = parts.path
        if not path.startswith(self.prefix):
            path = posixpath.normpath(f"{self.prefix}/{path}") + ("/" if path.endswith("/") else "")
        return urlunsplit((scheme, host, path, parts.query, parts.fragment))

    def page(self, content: bytes) -> bytes:
        """A page (HTML in UTF-8 or alike) with its links; everything else in it stays as it is, byte for byte."""
        text = content.decode(errors="surrogateescape")
        tags = _Tags(self, text)
        tags.feed(text)  # and no close(), which would look into what never ends again and again
        return tags.rewritten().encode(errors="surrogateescape")

    def compressed_page(self, content: bytes) -> bytes:
        """The same with gzip around it; as it is when it cannot be read or is too large."""
        packed = zlib.decompressobj(_GZIP)
        try:
            page = packed.decompress(content, LARGEST_PAGE)
        except zlib.error:
            return content
        if not packed.eof:
            return content
        packing = zlib.compressobj(wbits=_GZIP)
        return packing.compress(self.page(page)) + packing.flush()


class _Tags(HTMLParser):
    """Finds the tags that change, and where they stand."""

    def __init__(self, links: Links, text: str) -> None:
        super().__init__()
        self._links = links
        self._text = text
        self._lines = [0]
        while found := text.find("\n", self._lines[-1]) + 1:
            self._lines.append(found)
        self._pieces: list[str] = []
        self._done = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag with its attributes."""
        known = _LINKS.get(tag, ())
        changed = [(name, self._links.url(value) if value and name in known else value) for name, value in attrs]
        if changed == attrs:
            return
        line, column = self.getpos()
        begin, was = self._lines[line - 1] + column, self.get_starttag_text() or ""
        now = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in changed)
        self._pieces += [self._text[self._done : begin], f"<{tag}{now}{'/>' if was.endswith('/>') else '>'}"]
        self._done = begin + len(was)

    def rewritten(self) -> str:
        """The whole text."""
        return "".join([*self._pieces, self._text[self._done :]])
