"""Paths that a program in a pod sees elsewhere."""

from __future__ import annotations

from pathlib import Path

from kubelab.engine.network.agent.interposed.places import Context, Site
from kubelab.engine.network.contract import pod


def test_every_step_of_a_real_path_below_a_pods_own_directory_is_found(tmp_path: Path):
    """realpath(3) of what getcwd(2) says looks at each directory on the way."""
    own, source = tmp_path, tmp_path / "state" / "pod" / "tmp"
    source.mkdir(parents=True)
    (source / "mine").touch()
    context = Context(
        Site(pod("a"), "10.244.1.2", "127.1.0.2", "127.1.0.3"), redirects={str(own): (str(source), False)}
    )
    assert context.redirect(f"{own}/mine") == (f"{source}/mine", False)
    assert context.redirect(f"{own}/state/other") == (f"{source}/state/other", False)
    for step in (own / "state", own / "state" / "pod", source, source / "mine"):
        assert context.redirect(str(step)) is None
    assert context.redirect(str(own)) == (str(source), False)


def test_a_pods_own_directory_comes_before_one_of_the_machines_on_the_way(tmp_path: Path):
    source = tmp_path / "state" / "tmp"
    (source / "state").mkdir(parents=True)
    site = Site(pod("a"), "10.244.1.2", "127.1.0.2", "127.1.0.3")
    context = Context(site, redirects={str(tmp_path): (str(source), False)})
    assert context.redirect(f"{tmp_path}/state") == (f"{source}/state", False)
