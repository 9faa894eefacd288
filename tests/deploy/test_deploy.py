"""What `deploy/` would set up, without Helm and without a network: the chart's keys, the objects that come of them."""

from __future__ import annotations

import base64
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VALUES = yaml.safe_load((DEPLOY / "jupyterhub" / "values.yaml").read_text())
USER = VALUES["singleuser"]


@pytest.fixture
def handout(tmp_path):
    """A folder as `kubelab workshop create` writes it."""
    (tmp_path / "ada.kubeconfig").write_text("kind: Config\n")
    (tmp_path / "handout.csv").write_text("learner,name,kubeconfig\nada,Ada,ada.kubeconfig\n")
    return tmp_path


def secrets(folder):
    script = DEPLOY / "jupyterhub" / "user_secrets.py"
    done = subprocess.run([sys.executable, script, folder, "hub"], capture_output=True, text=True, timeout=30)
    return done


def pod(username):
    """The pod that KubeSpawner makes of the values, as far as they say."""
    filled = json.loads(json.dumps(USER["storage"]["extraVolumes"]).replace("{username}", username))
    container = {
        "name": "notebook",
        "image": f"{USER['image']['name']}:{USER['image']['tag']}",
        "imagePullPolicy": USER["image"]["pullPolicy"],
        "env": [{"name": name, "value": value} for name, value in USER["extraEnv"].items()],
        "lifecycle": USER["lifecycleHooks"],
        "volumeMounts": USER["storage"]["extraVolumeMounts"],
        "securityContext": {
            "runAsUser": USER["uid"],
            "allowPrivilegeEscalation": USER["allowPrivilegeEscalation"],
        },
    }
    spec = {"containers": [container], "volumes": filled, **USER["extraPodConfig"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"jupyter-{username}"}, "spec": spec}


def test_the_values_use_the_charts_keys():
    schema = json.loads(Path(__file__).with_name("values.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(VALUES)


def test_a_learners_pod_mounts_the_own_secret_and_has_no_privileges(handout):
    made = pod("ada")
    kubernetes_validate.validate(made, "1.36", strict=True)
    assert (
        made["spec"]["volumes"][0]["secret"]["secretName"]
        == json.loads(secrets(handout).stdout)["items"][0]["metadata"]["name"]
    )
    assert made["spec"]["automountServiceAccountToken"] is False
    assert USER["cloudMetadata"]["blockWithIptables"] is False
    assert USER["allowPrivilegeEscalation"] is False
    env = {each["name"]: each["value"] for each in made["spec"]["containers"][0]["env"]}
    mount = made["spec"]["containers"][0]["volumeMounts"][0]["mountPath"]
    assert env == {"KUBELAB_ON": "existing", "KUBECONFIG": f"{mount}/config"}


def test_a_secret_a_learner(handout):
    (made,) = json.loads(secrets(handout).stdout)["items"]
    kubernetes_validate.validate(made, "1.36", strict=True)
    assert base64.b64decode(made["data"]["config"]) == b"kind: Config\n"
    assert made["metadata"]["namespace"] == "hub"


def test_a_folder_without_a_handout_is_told(tmp_path):
    done = secrets(tmp_path)
    assert done.returncode == 1
    assert re.search(r"handout\.csv cannot be read: No such file", done.stderr)


def test_a_name_that_the_hub_would_change_is_told_before_a_server_waits_for_its_secret(handout):
    (handout / "handout.csv").write_text("learner,name,kubeconfig\n7-of-9,7 of 9,ada.kubeconfig\n")
    done = secrets(handout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "JupyterHub gives 7-of-9 another name" in done.stderr


def test_the_servers_may_speak_with_the_api_alone():
    policy = {"podSelector": {}, "policyTypes": ["Egress"], "egress": USER["networkPolicy"]["egress"]}
    whole = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": policy}
    kubernetes_validate.validate(whole, "1.36", strict=True)
    assert USER["networkPolicy"]["egressAllowRules"]["privateIPs"] is False


def test_the_course_goes_into_the_home_and_overwrites_nothing(tmp_path):
    course, home = tmp_path / "course", tmp_path / "home"
    (course / "notebooks").mkdir(parents=True)
    (home / "notebooks").mkdir(parents=True)
    (course / "notebooks" / "new").write_text("theirs")
    (course / "notebooks" / "old").write_text("theirs")
    (home / "notebooks" / "old").write_text("mine")
    shell, option, command = USER["lifecycleHooks"]["postStart"]["exec"]["command"]
    command = command.replace("/opt/kubelab/course", str(course)).replace("/home/jovyan", str(home))
    subprocess.run([shell, option, command], check=True, timeout=30, capture_output=True)
    assert {file.name: file.read_text() for file in (home / "notebooks").iterdir()} == {"new": "theirs", "old": "mine"}


def test_the_image_holds_what_the_values_copy():
    dockerfile = (DEPLOY / "jupyterhub" / "Dockerfile").read_text()
    assert "/opt/kubelab/course" in dockerfile
    for folder in re.findall(r"/opt/kubelab/source/(\w+)", dockerfile):
        assert (ROOT / folder).is_dir()
    assert USER["defaultUrl"].removeprefix("/lab/tree/").split("/")[0] in dockerfile
    assert (ROOT / USER["defaultUrl"].removeprefix("/lab/tree/")).is_file()


@pytest.mark.parametrize("given", [True, False])
def test_the_littlest_jupyterhub_tells_each_server_where_its_cluster_is(tmp_path, given):
    hub = SimpleNamespace(Spawner=SimpleNamespace(environment={}))
    made = runpy.run_path(str(DEPLOY / "tljh" / "kubelab_workshop.py"), {"get_config": lambda: hub})
    made["kubeconfig"].__globals__["KUBECONFIGS"] = tmp_path
    if given:
        (tmp_path / "ada.kubeconfig").write_text("")
    spawner = SimpleNamespace(user=SimpleNamespace(name="ada"))
    told = {name: value(spawner) for name, value in hub.Spawner.environment.items()}
    assert told["KUBELAB_ON"] == ("existing" if given else "embedded")
    assert told["KUBECONFIG"] == (str(tmp_path / "ada.kubeconfig") if given else "")


@pytest.mark.parametrize("page", ["deploy/README.md", "docs/workshops.md"])
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / link).exists()
    for file in re.findall(r"\bdeploy/[\w./-]+\.\w+", text):
        assert (ROOT / file).is_file()
    said = subprocess.run([sys.executable, "-m", "kubelab.cli", "workshop", "create", "--help"], capture_output=True,
                          text=True, timeout=30, check=True).stdout  # fmt: skip
    commands = re.findall(r"^(?:\$ )?kubelab workshop create.*", text, flags=re.MULTILINE)
    assert commands
    assert {option for line in commands for option in re.findall(r"--[a-z]+", line)} <= set(
        re.findall(r"--[a-z]+", said)
    )
