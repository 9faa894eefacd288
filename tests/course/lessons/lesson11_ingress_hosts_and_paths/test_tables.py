"""The tables of both tasks, decided from the objects alone: each is right as solved, and wrong as it starts."""

import itertools

import pytest
import yaml

from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import three_faults, twelve
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.three_faults import Faults
from kubelab.course.seed import Seed
from kubelab.routing.decide import decide
from kubelab.routing.ingress import CONTROLLER, table
from kubelab.routing.objects import Objects
from kubelab.routing.request import Request

SEEDS = [Seed(text) for text in ("reference", "a", "b", "c")]
CLASSES = [{"metadata": {"name": "kubelab"}, "spec": {"controller": CONTROLLER}}]
COMBINATIONS = [
    Faults(*each)
    for each in itertools.product(
        (three_faults.KIND, three_faults.CASE),
        (three_faults.PORT, three_faults.SERVICE),
        (three_faults.HOST, three_faults.CLASS),
    )
]


def answers(ingresses, apps, urls):
    """What the objects ask for: URL → Service or code. Every app has one ready pod."""
    placed = [{**each, "metadata": {**each["metadata"], "namespace": "task"}} for each in ingresses]
    services = [
        {**each, "metadata": {**each["metadata"], "namespace": "task"}}
        for app in apps
        for each in app.objects
        if each["kind"] == "Service"
    ]
    slices = [
        {
            "metadata": {"namespace": "task", "labels": {"kubernetes.io/service-name": app.app}},
            "ports": [{"name": app.port_name, "port": 8080}],
            "endpoints": [{"addresses": [f"10.0.0.{number}"]}],
        }
        for number, app in enumerate(apps, 1)
    ]
    routing = table(Objects(placed, CLASSES, services, slices))
    return {url: decide(routing, Request.of(url)).words("task") for url in urls}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_solution_of_twelve_requests_is_right_and_no_path_type_can_be_swapped(seed):
    wanted, apps = twelve.own(seed).wanted, twelve.apps(seed)
    text = str(twelve.secrets(seed)["manifest"])
    assert len(wanted) == 12
    assert answers(yaml.safe_load_all(text), apps, wanted) == wanted
    for place in range(text.count("pathType: ")):
        pieces = text.split("pathType: ")
        swap = {"Exact": "Prefix", "Prefix": "Exact"}
        kind = pieces[place + 1].split("\n")[0]
        pieces[place + 1] = pieces[place + 1].replace(kind, swap[kind], 1)
        assert answers(yaml.safe_load_all("pathType: ".join(pieces)), apps, wanted) != wanted


@pytest.mark.parametrize("faults", COMBINATIONS, ids=" and ".join)
def test_each_fault_spoils_its_own_requests_and_no_others(faults):
    own, apps = three_faults.own(SEEDS[0]), three_faults.apps(SEEDS[0])
    wanted = own.wanted
    assert answers([own.landing, *own.ingresses(None)], apps, wanted) == wanted
    got = answers([own.landing, *own.ingresses(faults)], apps, wanted)
    wrong = {who: [got[url] for url in wanted if wanted[url] == who and got[url] != who] for who in wanted.values()}
    cart = ["front"] if faults.cart == three_faults.KIND else ["front", "front"]
    assert wrong == {"front": [], "cart": cart, "search": ["503"] * 2, "help": ["landing"] * 2, "landing": []}


def test_all_faults_are_drawn():
    drawn = {three_faults.own(Seed(str(number))).faults for number in range(60)}
    assert drawn == set(COMBINATIONS)
