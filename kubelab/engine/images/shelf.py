"""The images that there are here: each one's names, what starting it means, and what it stands in for.

The names are those that tutorials on Services and Ingress use. On a cluster with a container runtime the same names are
the real images, so nothing may depend on what is particular to these.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.engine.images.servers import pages

AGNHOST = "kubelab.engine.images.agnhost:main"
PAUSE = "kubelab.engine.images.pause:main"
_SERVERS = "kubelab.engine.images.servers"
NGINX, HTTPD = f"{_SERVERS}.files:nginx", f"{_SERVERS}.files:httpd"
HTTP_ECHO, WHOAMI, HELLO_APP, ECHO_SERVER, ECHOSERVER, HELLO = (
    f"{_SERVERS}.echoes:{name}" for name in ("http_echo", "whoami", "hello_app", "echo_server", "echoserver", "hello")
)
ENTRIES = (AGNHOST, PAUSE, NGINX, HTTPD, HTTP_ECHO, WHOAMI, HELLO_APP, ECHO_SERVER, ECHOSERVER, HELLO)
"""Every ``entry`` that a recipe may name; whoever forks them may load their modules once, beforehand."""


@dataclass(frozen=True)
class Image:
    """What an image's configuration says (OCI image-spec: ENTRYPOINT, CMD, Env), and what is particular to ours."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    forks: dict[str, str] = field(default_factory=dict)
    """Programs of the image that are built in: the name on the command line → entry."""
    root: bool = True
    says: str = ""
    """What runs here in place of the real image; empty where it is kubelab's own."""
    tags: str = ""
    """A pattern of the tags that the real image has; empty: any."""
    folders: dict[str, dict[str, str]] = field(default_factory=dict)
    """Folders that each of its containers has for itself, to write in: path → file name → text."""
    unread: tuple[str, ...] = ()
    """Paths where the real image reads its configuration and this one does not."""


def _python_of_kubelab() -> dict[str, str]:
    """The environment in which `sys.executable` can import kubelab."""
    return {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}


def _server(entry: str, *names: str, says: str = "", root: bool = False, tags: str = "") -> Image:
    return Image((names[0],), forks=dict.fromkeys(names, entry), root=root, tags=tags, says=says or _ANSWERS)


def _shell(shell: str) -> Image:
    return Image(
        cmd=(shell,), says="a shell with this machine's programs; its files are read-only but for /tmp and /run"
    )


_ANSWERS = "a small server that answers as the real one does"
_NGINX = Image(
    ("/docker-entrypoint.sh",),
    ("nginx", "-g", "daemon off;"),
    forks={"/docker-entrypoint.sh": NGINX, "nginx": NGINX, "/usr/sbin/nginx": NGINX},
    says=f"a small server of the files in {pages.NGINX_ROOT}",
    tags=r"(latest|stable|mainline|1(\.\d{1,2}){0,2}|0\.\d{1,2}|alpine|perl)(-[\w.-]+)?",
    folders={pages.NGINX_ROOT: {"index.html": pages.index("Welcome to nginx, nearly", "nginx", pages.NGINX_ROOT)}},
    unread=("/etc/nginx",),
)
_HTTPD = Image(
    cmd=("httpd-foreground",),
    forks={"httpd-foreground": HTTPD, "httpd": HTTPD},
    says=f"a small server of the files in {pages.HTTPD_ROOT}",
    folders={pages.HTTPD_ROOT: {"index.html": pages.index("It works", "httpd", pages.HTTPD_ROOT)}},
    unread=("/usr/local/apache2/conf",),
)
_CURL = (
    "/bin/sh",
    "-c",
    'case "$1" in -*) ;; *) command -v "$1" >/dev/null && exec "$@" ;; esac; exec curl "$@"',
    "curl",
)
_ECHOSERVER = _server(ECHOSERVER, "/echoserver")
_ECHO_SERVER = _server(ECHO_SERVER, "/bin/echo-server", "/echo-server")
_HELLO_APP = _server(HELLO_APP, "/hello-app", "./hello-app", tags="1.0|2.0")

IMAGES = {
    "registry.k8s.io/e2e-test-images/agnhost": Image(
        ("/agnhost",), ("pause",), forks={"/agnhost": AGNHOST, "agnhost": AGNHOST},
        says="a small program that does what agnhost's netexec, serve-hostname, connect and pause do",
    ),
    "registry.k8s.io/pause": Image(
        ("/pause",), forks={"/pause": PAUSE, "pause": PAUSE}, root=False, says="a program that waits"
    ),
    "registry.k8s.io/coredns/coredns": Image(
        (sys.executable, "-m", "kubelab.engine.dns"), env=_python_of_kubelab(), root=False, says="kubelab's name server"
    ),
    "kubelab.dev/ingress-controller": Image(
        (sys.executable, "-m", "kubelab.engine.ingress"), env=_python_of_kubelab(), root=False
    ),
    "docker.io/library/python": Image(cmd=("python3",), env={"LANG": "C.UTF-8"}, says="this machine's Python"),
    "docker.io/nicolaka/netshoot": Image(cmd=("zsh",), says="a shell with this machine's programs"),
    "docker.io/library/busybox": _shell("sh"),
    "docker.io/library/alpine": _shell("/bin/sh"),
    "docker.io/library/ubuntu": _shell("/bin/bash"),
    "docker.io/library/debian": _shell("bash"),
    "registry.k8s.io/e2e-test-images/jessie-dnsutils": _shell("bash"),
    "docker.io/curlimages/curl": Image(
        _CURL, ("--help",), root=False, says="this machine's curl, or kubelab's own where there is none"
    ),
    "docker.io/library/nginx": _NGINX,
    "docker.io/nginxinc/nginx-unprivileged": _NGINX,
    "registry.k8s.io/nginx-slim": _NGINX,
    "docker.io/library/httpd": _HTTPD,
    "docker.io/nginxdemos/hello": _server(HELLO, "/hello", root=True),
    "docker.io/hashicorp/http-echo": _server(HTTP_ECHO, "/http-echo", "http-echo"),
    "docker.io/traefik/whoami": _server(WHOAMI, "/whoami", root=True),
    "gcr.io/google-samples/hello-app": _HELLO_APP,
    "us-docker.pkg.dev/google-samples/containers/gke/hello-app": _HELLO_APP,
    "docker.io/kicbase/echo-server": _ECHO_SERVER,
    "docker.io/jmalloc/echo-server": _ECHO_SERVER,
    "registry.k8s.io/echoserver": _ECHOSERVER,
    "registry.k8s.io/e2e-test-images/echoserver": _ECHOSERVER,
}  # fmt: skip
