"""Get, list and watch: stored bytes go out as they are; tables and metadata are made when asked for."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable

from kubelab.engine.apiserver import tables
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.content import JSON, Wanted, to_yaml, wanted
from kubelab.engine.apiserver.encoding import Object, dumps, encode_object, type_prefix
from kubelab.engine.apiserver.kinds import kind_of
from kubelab.engine.apiserver.options import check_list, check_watch
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.selectors import Predicate, both, field_selector, label_selector
from kubelab.engine.apiserver.status import StatusError, bad_request, expired, failed, not_acceptable
from kubelab.engine.apiserver.storage import Shelf, Store, Stored
from kubelab.engine.apiserver.watch import WatchHub, WatchStream, introduce, lifetime, replay, wanted_by
from kubelab.engine.client.transport import ApiResponse

KINDS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_NOW = -1
"""In a continue token: go on with what is there now, as the state in which the list began is forgotten."""
_TOKEN_VERSION = "meta.k8s.io/v1"
_BASE64 = re.compile(r"[-_A-Za-z0-9]")
_BAD_TOKEN = "invalid continue token: continue key is not valid"
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class Reader:
    """Answers reads from the store."""

    def __init__(self, store: Store, hub: WatchHub, clock: Callable[[], float]) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._lines = _Lines()

    # -- one object ------------------------------------------------------------------------------

    def get(self, call: Call, stored: Stored) -> ApiResponse:
        """One object, not older than asked for. Raises 504 for a version from the future."""
        revision = _plain_revision(call)
        if revision > self._store.revision:
            raise _too_large(revision, self._store.revision)
        return self.answer(call, stored)

    def answer(self, call: Call, stored: Stored, status: int = 200) -> ApiResponse:
        """One object, in the form that the client wants."""
        form = wanted(call.request.headers, *KINDS)
        if form.kind == "PartialObjectMetadataList":
            raise not_acceptable(why=f"you requested {form.kind}, but the requested object is not a list")
        body = self._one(call, stored, form)
        return respond(status, body, form)

    def _one(self, call: Call, stored: Stored, form: Wanted) -> bytes:
        rtype = call.target.rtype
        if form.kind == "Table":
            return dumps(self._table(call, [stored], form, str(stored.revision)))
        if form.kind:
            return dumps(tables.partial(stored.obj, form.group_version))
        return raw(rtype, stored)

    def _table(self, call: Call, items: Iterable[Stored], form: Wanted, version: str, *, columns: bool = True,
               more: Object | None = None) -> Object:  # fmt: skip
        rtype, include = call.target.rtype, call.query.get("includeObject", "Metadata")
        now = self._clock()  # not the call's: a watch goes on, and ages with it
        table = tables.table_of(rtype)
        rows = [tables.row(table, shown(rtype, stored), now, include) for stored in items]
        return {
            "kind": "Table",
            "apiVersion": form.group_version,
            "metadata": {"resourceVersion": version, **(more or {})},
            "columnDefinitions": tables.definitions(table) if columns else None,
            "rows": rows,
        }

    # -- lists -----------------------------------------------------------------------------------

    def selection(self, call: Call) -> Predicate | None:
        """What the call's selectors (and the name in its path) ask for."""
        labels = label_selector(call.query.get("labelSelector", ""))
        fields = field_selector(call.query.get("fieldSelector", ""), call.target.rtype)
        name = call.target.name
        return both(both(labels, fields), (lambda obj: obj["metadata"]["name"] == name) if name else None)

    def list(self, call: Call) -> ApiResponse:
        """A list, in the form that the client wants."""
        form = wanted(call.request.headers, *KINDS)
        if form.kind == "PartialObjectMetadata":
            raise not_acceptable(why=f"you requested {form.kind}, but the requested object is a list")
        check_list(call)
        call.number("timeoutSeconds")
        rtype, shelf = call.target.rtype, self._store.shelf(call.target.rtype.storage_key)
        revision, after = self._as_of(call, shelf)
        objects = shelf.sorted() if revision == self._store.revision else shelf.as_of(revision)
        selected = self.selection(call)
        matches = wanted_by(call.target.namespace, selected)
        items = [stored for stored in objects if matches(stored)]
        # "any version" (0) is answered whole, from upstream's watch cache
        limit = 0 if call.query.get("resourceVersion") == "0" else call.number("limit")
        items, meta = _page(items, limit, after, revision, counted=selected is None)
        version = str(revision)
        if form.kind == "Table":
            body = dumps(self._table(call, items, form, version, more=meta))
        elif form.kind:
            listed = [tables.partial(stored.obj, form.group_version) for stored in items]
            body = dumps(
                {"kind": "PartialObjectMetadataList", "apiVersion": form.group_version,
                 "metadata": {"resourceVersion": version, **meta}, "items": listed}
            )  # fmt: skip
        else:
            body = list_body(rtype, items, {"resourceVersion": version, **meta})
        return respond(200, body, form)

    def _as_of(self, call: Call, shelf: Shelf) -> tuple[int, str]:
        """The revision that a list shows, and the key after which it goes on. Raises 400, 410 or 504."""
        token, match = call.query.get("continue", ""), call.query.get("resourceVersionMatch", "")
        asked = call.query.get("resourceVersion", "")
        if token:
            revision, after = _read_continue(token)
            if asked not in ("", "0"):
                raise bad_request("specifying resource version is not allowed when using continue")
            if revision == _NOW:
                return self._store.revision, after
            if revision < shelf.floor:
                raise StatusError(410, "Expired", _TOO_OLD, meta={"continue": _continue(_NOW, after)})
            return min(revision, self._store.revision), after
        try:
            revision = _revision(asked)
        except StatusError as error:
            raise bad_request(f"invalid resource version: {error.message}") from None
        if revision > self._store.revision:
            raise _too_large(revision, self._store.revision)
        if match == "Exact" or (revision and call.number("limit") > 0 and not match):
            if revision < shelf.floor:
                raise expired("The resourceVersion for the provided list is too old.")
            return revision, ""
        return self._store.revision, ""

    # -- watches ---------------------------------------------------------------------------------

    def watch(self, call: Call) -> ApiResponse:
        """A stream of the changes."""
        form = wanted(call.request.headers, *KINDS)
        if form.yaml:
            raise not_acceptable("application/json;stream=watch")
        check_watch(call)
        rtype, shelf = call.target.rtype, self._store.shelf(call.target.rtype.storage_key)
        revision = _plain_revision(call)
        matches = wanted_by(call.target.namespace, self.selection(call))
        first = True

        def render(kind: str, stored: Stored) -> bytes:
            nonlocal first
            if form.kind == "Table":
                obj = dumps(self._table(call, [stored], form, str(stored.revision), columns=first))
                first = False
            elif form.kind:
                obj = self._one(call, stored, form)
            else:
                return self._lines.of(kind, rtype, stored)
            return b'{"type":"%s","object":%s}\n' % (kind.encode(), obj)

        bookmarks = call.flag("allowWatchBookmarks") and form.kind != "Table"  # a bookmark is no row
        bookmark = (lambda: self._bookmark(rtype, form)) if bookmarks else None
        stream = WatchStream(matches, render, bookmark)
        if revision > self._store.revision:
            raise _too_large(revision, self._store.revision)
        if call.flag("sendInitialEvents") or ("sendInitialEvents" not in call.query and revision == 0):
            introduce(stream, shelf.sorted(), matches, render)
            if bookmarks:
                stream.send(self._bookmark(rtype, form, initial_end=True))
        elif revision:
            try:
                replay(shelf, revision, stream)
            except StatusError as error:  # a watch that was allowed is begun: what is wrong with it is an event in it
                stream.send(b'{"type":"ERROR","object":%s}\n' % error.response().body)
                stream.close()
        stream.last_for(lifetime(call.query.get("timeoutSeconds", "")))
        self._hub.attach(shelf, stream)
        return ApiResponse(200, stream, {"content-type": JSON})

    def _bookmark(self, rtype: ResourceType, form: Wanted, *, initial_end: bool = False) -> bytes:
        meta: Object = {"resourceVersion": str(self._store.revision)}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj = {"kind": rtype.kind, "apiVersion": rtype.api_version, "metadata": meta}
        if form.kind:
            obj = tables.partial(obj, form.group_version)
        return dumps({"type": "BOOKMARK", "object": obj}) + b"\n"


class _Lines:
    """The lines of the latest event in a watch, made once however many streams send them."""

    def __init__(self) -> None:
        self._stored: Stored | None = None
        self._made: dict[tuple[str, str], bytes] = {}

    def of(self, kind: str, rtype: ResourceType, stored: Stored) -> bytes:
        """The event as its line in JSON."""
        if stored is not self._stored:
            self._stored, self._made = stored, {}
        key = (kind, rtype.api_version)
        if key not in self._made:
            self._made[key] = b'{"type":"%s","object":%s}\n' % (kind.encode(), raw(rtype, stored))
        return self._made[key]


def raw(rtype: ResourceType, stored: Stored) -> bytes:
    """The object's bytes as this resource shows it."""
    if rtype.stored_as is None:
        return stored.raw
    return encode_object(kind_of(rtype).to_view(stored.obj), rtype.kind, rtype.api_version)


def shown(rtype: ResourceType, stored: Stored) -> Object:
    """The object as tables read it."""
    return kind_of(rtype).to_view(stored.obj) if rtype.custom else stored.obj


def list_body(rtype: ResourceType, items: Iterable[Stored], meta: Object) -> bytes:
    """A List object; as upstream, its items do not repeat their type, unless they are custom resources."""
    cut = 1 if rtype.custom else len(type_prefix(rtype.kind, rtype.api_version))
    meta = {"continue": "", **meta} if rtype.custom else meta  # upstream's lists of what has no Go type say it always
    head = b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[' % (
        (rtype.list_kind or f"{rtype.kind}List").encode(),
        rtype.api_version.encode(),
        dumps(meta),
    )
    return head + b",".join(b"{" + raw(rtype, stored)[cut:] for stored in items) + b"]}"


def respond(status: int, body: bytes, form: Wanted) -> ApiResponse:
    """An answer in JSON or YAML."""
    return ApiResponse(status, to_yaml(body) if form.yaml else body, {"content-type": form.content_type})


def _revision(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise bad_request(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    if len(text) > 20:
        raise bad_request(
            f"resourceVersion: Invalid value: strconv.ParseUint: parsing {text[:20]}…: value out of range"
        )
    return int(text)


def _plain_revision(call: Call) -> int:
    """Of a get or a watch, whose storage refuses with a 500 what is no version."""
    try:
        return _revision(call.query.get("resourceVersion", ""))
    except StatusError as error:
        raise failed(error.message) from None


def _too_large(asked: int, current: int) -> StatusError:
    message = f"Too large resource version: {asked}, current: {current}"
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
               "retryAfterSeconds": 1}  # fmt: skip
    return StatusError(504, "Timeout", f"Timeout: {message}", details)


def _page(items: list[Stored], limit: int, after: str, revision: int, *, counted: bool) -> tuple[list[Stored], Object]:
    """``counted``: whether what is left is told, which upstream does not know of a selection."""
    if after:
        items = [stored for stored in items if _key_text(stored) > after]
    if limit <= 0 or len(items) <= limit:
        return items, {}
    left = {"remainingItemCount": len(items) - limit} if counted else {}
    return items[:limit], {"continue": _continue(revision, _key_text(items[limit - 1])), **left}


def _continue(revision: int, after: str) -> str:
    token = {"v": _TOKEN_VERSION, "rv": revision, "start": after}
    return base64.urlsafe_b64encode(json.dumps(token).encode()).rstrip(b"=").decode()


def _key_text(stored: Stored) -> str:
    return "\x00".join(stored.key)


def _read_continue(token: str) -> tuple[int, str]:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        bad = next((at for at, char in enumerate(token) if not _BASE64.match(char)), len(token) // 4 * 4)
        raise bad_request(f"{_BAD_TOKEN}: illegal base64 data at input byte {bad}") from None
    try:
        data = json.loads(text)
        if data["v"] != _TOKEN_VERSION:
            raise bad_request(f"{_BAD_TOKEN}: server does not recognize this encoded version {data['v']}")
        return int(data["rv"]), str(data["start"])
    except (ValueError, KeyError, TypeError):
        raise bad_request(f"{_BAD_TOKEN}: it was not made by this server") from None
