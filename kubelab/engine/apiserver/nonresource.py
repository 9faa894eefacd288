"""Paths that are no resource: discovery, OpenAPI, health, version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubelab.engine.apiserver import discovery, health, openapi
from kubelab.engine.apiserver.catalogue import BUILT_IN, Catalogue
from kubelab.engine.apiserver.content import JSON, Wanted, wanted
from kubelab.engine.apiserver.discovery import of_group_version
from kubelab.engine.apiserver.encoding import Object, dumps
from kubelab.engine.apiserver.metrics import ApiMetrics
from kubelab.engine.apiserver.reads import respond
from kubelab.engine.apiserver.status import method_not_allowed, not_acceptable, unknown_resource
from kubelab.engine.client.transport import ApiRequest, ApiResponse
from kubelab.engine.config import KUBERNETES_VERSION

_DISCOVERY = "APIGroupDiscoveryList"


def version() -> Object:
    """/version"""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": "kubelab",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "kubelab",
        "compiler": "cpython",
        "platform": "linux/amd64",
    }


@dataclass(frozen=True)
class Inside:
    """What can be asked about the server itself: its checks by name, and its metrics."""

    checks: Mapping[str, health.Check]
    metrics: ApiMetrics


def answer(request: ApiRequest, catalogue: Catalogue, inside: Inside) -> ApiResponse:
    """The answer to a path that names no resource; 404 when it names nothing at all."""
    parts = request.path.strip("/").split("/")
    found = _about_itself(request, parts, inside) or _answer(request, parts, catalogue)
    if found is None:
        if _is_served(parts):
            raise unknown_resource()
        return no_such_page()
    if request.method != "GET" and not (request.method == "HEAD" and parts[0] in health.PATHS):
        raise method_not_allowed()
    return found


def no_such_page() -> ApiResponse:
    """404 as Go's own server says it, for paths that nobody serves."""
    plain = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return ApiResponse(404, b"404 page not found\n", plain)


def _is_served(parts: list[str]) -> bool:
    """Whether the path is below a group version of Kubernetes' own: what is missing is a resource then, not a page."""
    group, v = ("", parts[1:2]) if parts[0] == "api" else (parts[1] if parts[0] == "apis" else None, parts[2:3])
    return any((group, each) in BUILT_IN.group_versions for each in v)


def _about_itself(request: ApiRequest, parts: list[str], inside: Inside) -> ApiResponse | None:
    if parts[0] in health.PATHS:
        return health.answer(request, parts, inside.checks)
    if parts == ["metrics"]:
        return ApiResponse(200, inside.metrics.text().encode(), {"content-type": "text/plain; version=0.0.4"})
    return None


def _answer(request: ApiRequest, parts: list[str], catalogue: Catalogue) -> ApiResponse | None:
    match parts:
        case ["version"]:
            return respond(200, dumps(version()), wanted(request.headers))
        case ["api"] | ["apis"]:
            return _root(request, catalogue, core=parts == ["api"])
        case ["api", v]:
            return _found(request, discovery.api_resource_list(catalogue, "", v))
        case ["apis", group]:
            listed = discovery.api_group(catalogue, group)
            return _found(request, listed and {"kind": "APIGroup", "apiVersion": "v1", **listed})
        case ["apis", group, v]:
            return _found(request, discovery.api_resource_list(catalogue, group, v))
        case ["openapi", "v3"]:
            return respond(200, dumps(openapi.index(catalogue)), wanted(request.headers))
        case ["openapi", "v3", "api", v]:
            return _document(catalogue, "", v)
        case ["openapi", "v3", "apis", group, v]:
            return _document(catalogue, group, v)
        case ["openapi", "v2"]:
            return _swagger(request, catalogue)
        case [""]:
            own = [f"/{path}" for path in (*health.PATHS, "metrics", "openapi/v2", "openapi/v3", "version")]
            return respond(200, dumps({"paths": ["/api", "/apis", *own]}), Wanted())
    return None


def _root(request: ApiRequest, catalogue: Catalogue, *, core: bool) -> ApiResponse:
    form = wanted(request.headers, _DISCOVERY)
    if form.kind:
        v = form.group_version.rpartition("/")[2]
        content_type = f"{form.content_type};g={discovery.AGGREGATED};v={v};as={_DISCOVERY}"
        response = respond(200, dumps(discovery.aggregated(catalogue, core, v)), form)
        response.headers["content-type"] = content_type
        return response
    return respond(200, dumps(discovery.api_versions() if core else discovery.api_group_list(catalogue)), form)


def _found(request: ApiRequest, body: Object | None) -> ApiResponse | None:
    return None if body is None else respond(200, dumps(body), wanted(request.headers))


def _document(catalogue: Catalogue, group: str, v: str) -> ApiResponse | None:
    if discovery.api_resource_list(catalogue, group, v) is None:
        return None
    return ApiResponse(200, openapi.document(of_group_version(catalogue, group, v)), {"content-type": JSON})


def _swagger(request: ApiRequest, catalogue: Catalogue) -> ApiResponse:
    accepted = request.headers.get("accept", "*/*")
    if openapi.SWAGGER_PROTOBUF in accepted:
        return ApiResponse(
            200, openapi.swagger_protobuf(), {"content-type": openapi.SWAGGER_PROTOBUF.replace("@", ".")}
        )
    if "json" not in accepted and "*/*" not in accepted:
        raise not_acceptable()
    return ApiResponse(200, openapi.swagger(catalogue), {"content-type": JSON})
