"""Which links lead back to the proxy's path."""

from __future__ import annotations

import gzip

import pytest

from kubelab.engine.apiserver.proxying.links import LARGEST_PAGE, Links

PREFIX = "/api/v1/namespaces/default/services/web/proxy"
LINKS = Links(PREFIX, "10.244.1.5:8080", "127.0.0.1:6443")


@pytest.mark.parametrize(
    ("said", "led"),
    [
        ("/page", f"{PREFIX}/page"),
        ("/page/?a=1#b", f"{PREFIX}/page/?a=1#b"),
        ("/", f"{PREFIX}/"),
        ("//10.244.1.5:8080/page", f"{PREFIX}/page"),
        ("http://10.244.1.5:8080/page", f"{PREFIX}/page"),
        ("https://127.0.0.1:6443/page", f"https://127.0.0.1:6443{PREFIX}/page"),
        (f"{PREFIX}/page", f"{PREFIX}/page"),
        ("page", "page"),
        ("../page", "../page"),
        ("?a=1", "?a=1"),
        ("#top", "#top"),
        ("", ""),
        ("https://kubernetes.io/docs", "https://kubernetes.io/docs"),
        ("http://10.244.1.5:9090/page", "http://10.244.1.5:9090/page"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ("http://[::1/page", "http://[::1/page"),
    ],
)
def test_absolute_paths_of_the_same_host_get_the_proxys_path_in_front(said, led) -> None:
    assert LINKS.url(said) == led


def test_a_page_changes_in_its_links_alone() -> None:
    page = (
        "<!doctype html>\r\n<HTML>\n<!-- <a href='/no'> -->\n<p title=/no>"
        '<A class=x HREF=/yes&amp;more checked>ä &eacute; &#; & a < b &</A  >\n<img src="/a.png"/><img src="b.png">'
        '<script>"<a href=\'/no\'>"</script><script src=/s.js></script>\n<a href="/unfinished'
    )
    wanted = (
        page.replace("<A class=x HREF=/yes&amp;more checked>", f'<a class="x" href="{PREFIX}/yes&amp;more" checked>')
        .replace('<img src="/a.png"/>', f'<img src="{PREFIX}/a.png"/>')
        .replace("<script src=/s.js>", f'<script src="{PREFIX}/s.js">')
    )
    assert LINKS.page(page.encode()).decode() == wanted


@pytest.mark.parametrize("word", ["<!--", "<a ", "<a href='", "</", "<![CDATA[", "&#", "<script>", "<"])
def test_what_never_ends_takes_no_time_to_speak_of(word) -> None:
    page = b"<a href=/x>" + word.encode() * (LARGEST_PAGE // 10 // len(word))
    assert LINKS.page(page).startswith(b'<a href="/api/')


def test_bytes_that_are_no_text_pass() -> None:
    assert LINKS.page(b"\xff\xfe<a href='/x'>\xe4") == b'\xff\xfe<a href="' + PREFIX.encode() + b'/x">\xe4'


def test_a_compressed_page_is_compressed_again() -> None:
    made = LINKS.compressed_page(gzip.compress(b"<a href=/x>"))
    assert gzip.decompress(made) == f'<a href="{PREFIX}/x">'.encode()
    assert LINKS.compressed_page(b"no gzip") == b"no gzip"
    bomb = gzip.compress(b"a" * (LARGEST_PAGE + 1))
    assert LINKS.compressed_page(bomb) == bomb
