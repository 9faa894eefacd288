from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from kubelab.engine import images
from kubelab.engine.images import links
from kubelab.engine.images.references import parse


@pytest.mark.parametrize(
    ("image", "complete"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.12", "docker.io/library/python:3.12"),
        ("docker.io/library/python", "docker.io/library/python:latest"),
        ("nicolaka/netshoot", "docker.io/nicolaka/netshoot:latest"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("python@sha256:" + "a" * 64, "docker.io/library/python@sha256:" + "a" * 64),
    ],
)
def test_names_are_completed_as_a_runtime_does(image, complete):
    assert str(parse(image)) == complete


@pytest.mark.parametrize("image", ["", "Python", "a b", "python:", "https://x/y", "a//b", "-x"])
def test_what_cannot_be_a_name_is_refused(image):
    with pytest.raises(images.InvalidImageName, match="invalid reference format"):
        images.resolve(image)


@pytest.mark.parametrize(
    ("command", "args", "argv", "forked"),
    [
        ((), (), ("/agnhost", "pause"), True),
        ((), ("netexec", "--http-port=80"), ("/agnhost", "netexec", "--http-port=80"), True),
        (("/agnhost",), ("netexec",), ("/agnhost", "netexec"), True),
        (("sh", "-c"), ("sleep 1",), ("sh", "-c", "sleep 1"), False),
        (("sleep",), (), ("sleep",), False),
    ],
)
def test_command_replaces_the_entrypoint_and_args_the_cmd(command, args, argv, forked):
    recipe = images.resolve("registry.k8s.io/e2e-test-images/agnhost:2.53", command, args)
    assert recipe.argv == argv
    assert (recipe.entry is not None) == forked


def test_an_unknown_image_is_refused_with_a_list_of_those_there_are():
    with pytest.raises(images.UnknownImage) as error:
        images.resolve("redis")
    assert all(name in str(error.value) for name in ("python", "nginx", "traefik/whoami", "registry.k8s.io/pause"))
    assert "kubelab" not in str(error.value).partition(": alpine")[2]


@pytest.mark.parametrize("tag", ["", ":latest", ":1", ":1.27-alpine", ":1.29.3", ":stable"])
def test_tags_that_an_image_has_are_there(tag):
    assert images.resolve(f"nginx{tag}").argv == ("/docker-entrypoint.sh", "nginx", "-g", "daemon off;")


@pytest.mark.parametrize("image", ["nginx:1.161", "gcr.io/google-samples/hello-app:3.0"])
def test_a_mistyped_tag_is_not_found(image):
    with pytest.raises(images.UnknownImage, match=f"{image}: not found"):
        images.resolve(image)


def test_every_image_but_kubelabs_own_says_what_runs_in_its_place():
    assert {name for name, says in images.known().items() if not says} == {"kubelab.dev/ingress-controller"}


def test_every_entry_is_a_program():
    for entry in images.ENTRIES:
        module, _, name = entry.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(
    ("args", "ran"), [(("-V",), "curl -V"), (("http://web",), "curl http://web"), (("echo", "x"), "x")]
)
def test_curls_image_takes_options_an_address_or_a_command(tmp_path, args, ran):
    (tmp_path / "curl").write_text('#!/bin/sh\necho curl "$@"\n')
    (tmp_path / "curl").chmod(0o755)
    recipe = images.resolve("curlimages/curl", (), args, links=tmp_path)
    assert subprocess.run(recipe.argv, env=recipe.env, capture_output=True, text=True).stdout == f"{ran}\n"


def test_python_is_the_machines_interpreter_outside_of_any_virtual_environment(tmp_path):
    folder = images.install_links(tmp_path / "bin")
    recipe = images.resolve("python:3.12", links=folder)
    assert recipe.argv == ("python3",)
    script = "import sys; print(sys.prefix == sys.base_prefix)"
    ran = subprocess.run([*recipe.argv, "-c", script], env=recipe.env, capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"


def test_stand_ins_are_there_only_where_the_real_tool_is_missing(tmp_path, monkeypatch):
    here = tmp_path / "machine"
    here.mkdir()
    for name in ("sh", "curl"):
        (here / name).symlink_to("/bin/true")
    monkeypatch.setattr(links, "SYSTEM_PATH", str(here))
    folder = images.install_links(tmp_path / "bin")
    assert not (folder / "curl").exists()
    assert os.access(folder / "dig", os.X_OK)
    assert os.readlink(folder / "zsh") == str(here / "sh")
    said = subprocess.run([folder / "dig", "-v"], capture_output=True, text=True, check=True).stdout
    assert "stand-in" in said
    (here / "dig").symlink_to("/bin/true")
    assert not (images.install_links(folder) / "dig").exists()


def test_the_name_server_runs_where_kubelab_can_be_imported():
    recipe = images.resolve("registry.k8s.io/coredns/coredns:v1.12.1", (), ("-conf", "/etc/coredns/Corefile"))
    assert recipe.argv[:3] == (sys.executable, "-m", "kubelab.engine.dns")
    code = "import kubelab.engine.images"
    subprocess.run([sys.executable, "-c", code], env=recipe.env, cwd="/", check=True)


def test_tar_leaves_what_it_unpacks_to_whoever_unpacks_it(tmp_path):
    tar = images.install_links(tmp_path / "bin") / "tar"
    assert 'TAR_OPTIONS="--no-same-owner' in tar.read_text()
    (tmp_path / "file").write_text("x")
    subprocess.run([tar, "cf", tmp_path / "a.tar", "-C", tmp_path, "file"], check=True)
    listed = subprocess.run([tar, "tf", tmp_path / "a.tar"], capture_output=True, text=True, check=True).stdout
    assert listed == "file\n"
