"""netexec's ``/shell`` and ``/upload``."""

from __future__ import annotations

import os
import subprocess
import tempfile

from kubelab.engine.images.agnhost.dial import go_json
from kubelab.engine.images.agnhost.flags import log
from kubelab.engine.images.http_server import Request, Response

UPLOADS = "/uploads"


def shell(request: Request) -> Response:
    """Run ``shellCommand`` or ``cmd`` with /bin/sh; tells its output and how it failed."""
    command = request.value("shellCommand") or request.value("cmd")
    log(f"GET /shell?cmd={command}")
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    answer: dict[str, str] = {}
    if done.stdout:
        answer["output"] = done.stdout.decode(errors="replace")
    if done.returncode:
        code = done.returncode
        answer["error"] = f"exit status {code}" if code > 0 else f"signal: {_signal(-code)}"
    log(f"Output: {answer}")
    return Response(go_json(answer))


def _signal(number: int) -> str:
    return {9: "killed", 15: "terminated", 2: "interrupt", 11: "segmentation fault"}.get(number, f"signal {number}")


def upload(request: Request) -> Response:
    """Write the form's ``file`` below /uploads; tells where."""
    log("GET /upload")
    content = _form_file(request)
    if content is None:
        return Response(go_json({"error": "Unable to upload file."}))
    try:
        handle, name = tempfile.mkstemp(prefix="upload", dir=UPLOADS)
    except OSError as error:
        log(f"Unable to open file for write: {error}")
        return Response(go_json({"error": "Unable to open file for write"}))
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(name, 0o700)
    log(f"Wrote upload to {name}")
    return Response(go_json({"output": name}), 201)


def _form_file(request: Request) -> bytes | None:
    """The part named ``file`` of a multipart/form-data body (RFC 7578)."""
    kind, _, parameters = request.header("Content-Type").partition(";")
    name, _, boundary = parameters.strip().partition("=")
    if kind.strip().lower() != "multipart/form-data" or name.lower() != "boundary":
        return None
    for part in request.body.split(b"--" + boundary.strip('"').encode()):
        head, blank, content = part.partition(b"\r\n\r\n")
        if blank and b'name="file"' in head:
            return content.removesuffix(b"\r\n")
    return None
