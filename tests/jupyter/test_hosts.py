from kubelab.jupyter.hosts import hosts_of
from kubelab.lab.errors import ApiError

INGRESSES = "/apis/networking.k8s.io/v1/ingresses"


class Api:
    def __init__(self, lists):
        self.lists = lists

    def request(self, method, path):
        if path not in self.lists:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return {"items": self.lists[path]}


def test_hosts_are_sorted_named_once_and_without_wildcards():
    rules = [{"host": "shop.test"}, {"host": "*.shop.test"}, {"http": {}}, {"host": "api.test"}]
    api = Api({INGRESSES: [{"spec": {"rules": rules}}, {"spec": {"rules": rules[:1]}}]})
    assert hosts_of(api) == ["api.test", "shop.test"]


def test_the_hosts_of_http_routes_are_left_out_as_they_are_at_their_gateways_addresses():
    routes = [{"spec": {"hostnames": ["new.test"]}}]
    assert hosts_of(Api({"/apis/gateway.networking.k8s.io/v1/httproutes": routes})) == []
