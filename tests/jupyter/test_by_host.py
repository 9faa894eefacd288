import asyncio

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from kubelab.clusters.base import ClusterError
from kubelab.jupyter.by_host import application
from kubelab.lab.errors import LabError


async def ingress(request):
    """Says what it was asked, as the pods of a lesson do."""
    if request.path == "/moved":
        raise web.HTTPFound(request.query["to"])
    if request.headers.get("Upgrade") == "websocket":
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            await socket.send_str(f"{request.host} heard {message.data}")
        return socket
    body = await request.text()
    heard = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response({"path": request.raw_path, "method": request.method, "body": body, "headers": heard})


@pytest.fixture
async def browser():
    """A client of the server by host; behind it an ingress."""
    behind = web.Application()
    behind.router.add_route("*", "/{rest:.*}", ingress)
    async with TestServer(behind) as server:
        app = application(lambda: {80: server.port}, lambda: ["api.test", "shop.test"], "/user/ada/")
        async with TestClient(TestServer(app)) as client:
            yield client


async def get(browser, path, **options):
    async with browser.get(path, allow_redirects=False, **options) as answer:
        return await answer.json()


async def test_the_host_in_the_path_becomes_the_host_header(browser):
    assert (await get(browser, "/http/shop.test/cart"))["headers"]["host"] == "shop.test"


@pytest.mark.parametrize("path", ["/", "/cart?id=1&id=2", "/a%2Fb/", "/with%20space", "/dots/"])
async def test_the_rest_of_the_path_arrives_as_it_was_written(browser, path):
    from yarl import URL

    assert (await get(browser, URL(f"/http/shop.test{path}", encoded=True)))["path"] == path


async def test_a_body_and_its_method_arrive(browser):
    async with browser.post("/http/shop.test/orders", data="two apples") as answer:
        said = await answer.json()
    assert (said["method"], said["body"]) == ("POST", "two apples")


async def test_no_pod_hears_what_the_browser_says_to_jupyter(browser):
    private = {"Cookie": "_xsrf=1", "Authorization": "token secret", "X-XSRFToken": "1", "Accept-Language": "eo"}
    heard = (await get(browser, "/http/shop.test/", headers=private))["headers"]
    assert not {"cookie", "authorization", "x-xsrftoken"} & set(heard)
    assert heard["accept-language"] == "eo"


async def test_pages_are_kept_in_a_sandbox_without_the_learners_session(browser):
    async with browser.get("/http/shop.test/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox")
    assert "allow-same-origin" not in policy


@pytest.mark.parametrize(
    ("asked", "to", "leads"),
    [
        ("/http/shop.test/moved", "/cart", "../../http/shop.test/cart"),
        ("/http/shop.test/moved", "https://pay.test/", "../../https/pay.test/"),
        ("/http/shop.test/moved", "elsewhere", "elsewhere"),
        ("/http/shop.test/moved", "mailto:ada@shop.test", "mailto:ada@shop.test"),
    ],
)
async def test_redirects_stay_under_jupyters_url(browser, asked, to, leads):
    async with browser.get(asked, params={"to": to}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, leads)


async def test_a_host_without_a_path_gets_its_slash(browser):
    async with browser.get("/http/shop.test", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "shop.test/")


async def test_its_slash_comes_before_the_query(browser):
    async with browser.get("/http/shop.test?id=1&to=a+b", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "shop.test/?id=1&to=a+b"


@pytest.mark.parametrize("host", ["shop.test:8080", "shop.test%0d%0aX:%20y"])
async def test_what_the_ingress_cannot_be_asked_for_is_said(browser, host):
    from yarl import URL

    async with browser.get(URL(f"/http/{host}/", encoded=True)) as answer:
        assert answer.status == 502


async def test_websockets_talk_through_it(browser):
    async with browser.ws_connect("/http/chat.test/room", protocols=("chat",)) as socket:
        await socket.send_str("hello")
        heard = await asyncio.wait_for(socket.receive_str(), 10)
    assert heard == "chat.test heard hello"
    assert socket.protocol == "chat"


async def test_the_first_page_lists_the_hosts_under_jupyters_url(browser):
    async with browser.get("/") as answer:
        text = await answer.text()
    assert text.index('href="/user/ada/kubelab-ingress/http/api.test/"') < text.index("http/shop.test/")


async def test_without_a_way_to_the_ingress_the_page_says_so(browser):
    async with browser.get("/https/shop.test/") as answer:
        assert (answer.status, await answer.text()) == (502, "There is no way from here to the cluster's ingress.\n")


async def test_a_cluster_that_is_down_says_so():
    def doors():
        raise ClusterError("The engine is not running; `kubelab up` starts it again.")

    async with TestClient(TestServer(application(doors, list))) as client, client.get("/http/shop.test/") as answer:
        assert (answer.status, "`kubelab up` starts it" in await answer.text()) == (502, True)


async def test_hosts_that_cannot_be_listed_say_why():
    def names():
        raise LabError("The cluster's API does not answer.")

    async with TestClient(TestServer(application(dict, names))) as client, client.get("/") as answer:
        assert (answer.status, "API does not answer" in await answer.text()) == (502, True)
