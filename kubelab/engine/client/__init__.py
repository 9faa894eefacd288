"""The one shared client through which every part of the engine talks to the Kubernetes API."""

from kubelab.engine.client.api import Client, Object
from kubelab.engine.client.controller import WorkQueue
from kubelab.engine.client.errors import ApiError, already_exists, is_conflict, is_not_found
from kubelab.engine.client.events import EventRecorder, now
from kubelab.engine.client.https import HttpsTransport
from kubelab.engine.client.informer import Informer, Key, key_of
from kubelab.engine.client.line import Line
from kubelab.engine.client.persistence import persistent
from kubelab.engine.client.resources import Resource
from kubelab.engine.client.transport import (
    ApiRequest,
    ApiResponse,
    Handler,
    InProcessTransport,
    Transport,
)

__all__ = [
    "ApiError",
    "ApiRequest",
    "ApiResponse",
    "Client",
    "EventRecorder",
    "Handler",
    "HttpsTransport",
    "InProcessTransport",
    "Informer",
    "Key",
    "Line",
    "Object",
    "Resource",
    "Transport",
    "WorkQueue",
    "already_exists",
    "is_conflict",
    "is_not_found",
    "key_of",
    "now",
    "persistent",
]
