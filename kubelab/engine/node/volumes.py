"""A pod's volumes: emptyDir, configMap, secret, downwardAPI, projected."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from kubelab.engine.client import Object
from kubelab.engine.network.contract import Mount
from kubelab.engine.node import atomic_folder, fields, host_path
from kubelab.engine.node.atomic_folder import File
from kubelab.engine.node.clock import Clock, parse
from kubelab.engine.node.expansion import expand
from kubelab.engine.node.machine import Machine
from kubelab.engine.node.sources import MissingSource, Reference, Sources

TOKEN_SHARE = 0.8
"""A token is renewed when this share of its life has passed, as kubelet does."""
SET_BACK_SECONDS = 10
"""A token that begins later than so long from now is renewed too: the API takes it for none yet."""
SUB_PATHS = ".sub-paths"
LONGEST_TOKEN_SECONDS = 24 * 3600.0


class VolumeFailed(Exception):
    """A volume cannot be set up. ``volume`` is its name."""

    def __init__(self, volume: str, message: str) -> None:
        super().__init__(message)
        self.volume = volume


class _Token(NamedTuple):
    """Judged by the time, as the API does that takes it, and not by what has passed."""

    content: bytes
    since: float
    seconds: float
    """Until it wants renewal."""

    def seconds_left(self, now: float) -> float:
        """Until then; 0 also for one that has not begun, since the clock was set back."""
        return 0.0 if self.since > now + SET_BACK_SECONDS else max(self.since + self.seconds - now, 0.0)


class Volumes:
    """The folders of one pod, below ``root``."""

    def __init__(self, root: Path, sources: Sources, machine: Machine, clock: Clock) -> None:
        self._root = root
        self._sources = sources
        self._machine = machine
        self._clock = clock
        self._host_paths: dict[str, str] = {}
        self._of_files: set[str] = set()
        """The volumes that are written here: no container writes to them."""
        self._tokens: dict[tuple[str, str], _Token] = {}

    @property
    def seconds_until_renewal(self) -> float | None:
        """When the first token wants renewal; None when there is none."""
        if not self._tokens:
            return None
        now = self._clock.now().timestamp()
        return min(token.seconds_left(now) for token in self._tokens.values())

    async def write(self, pod: Object) -> None:
        """Make every volume, or bring it up to date. Raises `VolumeFailed` and `ApiError`."""
        for volume in pod["spec"].get("volumes") or ():
            try:
                await self._write(pod, volume)
            except (MissingSource, fields.UnknownField) as error:
                raise VolumeFailed(volume["name"], str(error)) from error

    async def _write(self, pod: Object, volume: Object) -> None:
        folder = self._root / volume["name"]
        kind = next((key for key in volume if key != "name"), "emptyDir")
        match kind:
            case "emptyDir":
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o777)
            case "configMap" | "secret" | "downwardAPI":
                source = volume[kind]
                files = await self._files(pod, kind, source, source.get("defaultMode", 0o644))
                self._put(volume["name"], files)
            case "projected":
                mode = volume[kind].get("defaultMode", 0o644)
                files = {}
                for each in volume[kind].get("sources") or ():
                    part = next(iter(each))
                    files |= await self._files(pod, part, each[part], mode)
                self._put(volume["name"], files)
            case "hostPath":
                if problem := host_path.problem(volume[kind]):
                    raise VolumeFailed(volume["name"], problem)
                self._host_paths[volume["name"]] = volume[kind]["path"]
            case _:
                known = "emptyDir, configMap, secret, downwardAPI, projected or hostPath"
                raise VolumeFailed(volume["name"], f"kubelab has no {kind} volumes: use {known}")

    def _put(self, name: str, files: dict[str, File]) -> None:
        self._of_files.add(name)
        atomic_folder.write(self._root / name, files, self._clock.now())

    async def _files(self, pod: Object, kind: str, source: Object, mode: int) -> dict[str, File]:
        match kind:
            case "configMap" | "secret":
                return await self._keys(pod, kind, source, mode)
            case "downwardAPI":
                return {item["path"]: self._item(pod, item, mode) for item in source.get("items") or ()}
            case "serviceAccountToken":
                return {source["path"]: File(await self._token(pod, source), mode)}
            case _:
                raise fields.UnknownField(f"kubelab has no projected source {kind}")

    async def _keys(self, pod: Object, kind: str, source: Object, mode: int) -> dict[str, File]:
        name = source.get("name") or source.get("secretName") or ""
        kind_name = "ConfigMap" if kind == "configMap" else "Secret"
        reference = Reference(kind_name, pod["metadata"]["namespace"], name)
        optional = source.get("optional", False)
        try:
            data = await self._sources.data(reference)
        except MissingSource:
            if optional:
                return {}
            raise
        items = source.get("items")
        if not items:
            return {key: File(value, mode) for key, value in data.items()}
        missing = [item["key"] for item in items if item["key"] not in data]
        if missing and not optional:
            what = "config" if kind == "configMap" else "secret"
            raise MissingSource(f"references non-existent {what} key: {missing[0]}", reference)
        return {
            _inside(item["path"]): File(data[item["key"]], item.get("mode", mode))
            for item in items
            if item["key"] in data
        }

    def _item(self, pod: Object, item: Object, mode: int) -> File:
        if "fieldRef" in item:
            text = fields.field(pod, item["fieldRef"]["fieldPath"])
        else:
            selector = item["resourceFieldRef"]
            every = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
            about = next((each for each in every if each["name"] == selector.get("containerName")), None)
            if about is None:
                raise fields.UnknownField(f'couldn\'t find container "{selector.get("containerName")}" in the pod')
            text = fields.resource(about, selector["resource"], str(selector.get("divisor") or "1"), self._machine)
        return File(text.encode(), item.get("mode", mode))

    async def _token(self, pod: Object, source: Object) -> bytes:
        audience, seconds = source.get("audience") or "", int(source.get("expirationSeconds") or 3600)
        known = self._tokens.get((audience, source["path"]))
        now = self._clock.now()
        if known is not None and known.seconds_left(now.timestamp()):
            return known.content
        token = await self._sources.token(pod, audience, seconds)
        life = (parse(token.expires) - now).total_seconds()
        share = min(max(life * TOKEN_SHARE, 1.0), LONGEST_TOKEN_SECONDS)
        fresh = _Token(token.token.encode(), now.timestamp(), share)
        self._tokens[audience, source["path"]] = fresh
        return fresh.content

    def mounts(self, container: Object, values: Mapping[str, str]) -> list[Mount]:
        """What the container sees, and where; ``values`` is its environment. Raises `fields.UnknownField`."""
        name = container["name"]
        return [self._mount(name, each, values) for each in container.get("volumeMounts") or ()]

    def _mount(self, container: str, mount: Object, values: Mapping[str, str]) -> Mount:
        below = mount.get("subPath") or expand(mount.get("subPathExpr") or "", values)
        if mount["name"] in self._host_paths:
            source = Path(self._host_paths[mount["name"]]) / _inside(below)
            return Mount(str(source), mount["mountPath"], read_only=True, own=True)
        source = self._root / mount["name"]
        if below:
            source = source / _inside(below)
            if not source.resolve().is_relative_to(self._root.resolve()):  # by a link that a container has laid
                where = f'volumeMount "{mount["name"]}" of container "{container}"'
                raise fields.UnknownField(f"failed to prepare subPath for {where}")
            if not source.exists():
                source.mkdir(parents=True)
            source = self._kept(source.resolve(), f"{container}{mount['mountPath']}")
        return Mount(str(source), mount["mountPath"], bool(mount.get("readOnly")) or mount["name"] in self._of_files)

    def _kept(self, source: Path, name: str) -> Path:
        """A file that stays what it is when its volume is written anew: a mount with ``subPath`` is not updated."""
        if not source.is_file():
            return source
        kept = self._root / SUB_PATHS / name.replace("/", "~")
        kept.parent.mkdir(exist_ok=True)
        kept.unlink(missing_ok=True)
        kept.hardlink_to(source)
        return kept

    def remove(self) -> None:
        """Take all of it away."""
        shutil.rmtree(self._root, ignore_errors=True)


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if ".." in parts or path.startswith("/"):
        raise fields.UnknownField(f"the path {path!r} leaves its volume")
    return path
