"""Where the servers of files have them, and the page that is there at first."""

from __future__ import annotations

NGINX_ROOT = "/usr/share/nginx/html"
HTTPD_ROOT = "/usr/local/apache2/htdocs"


def index(title: str, server: str, root: str) -> str:
    """A page that says whose it is."""
    said = f"This page comes from kubelab's stand-in for {server}. It serves the files in {root}."
    return page(title, f"<p>{said}</p>")


def page(title: str, body: str) -> str:
    """A small page."""
    head = f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n"
    return f"{head}{body}\n</body>\n</html>\n"
