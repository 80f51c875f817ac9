"""The image that the Dockerfile makes, and the rendered chart's pods, run from it beside real Kafka and Postgres: a purchase goes through them, and
none is lost when a pod has to go."""
import json
import re
import subprocess

import pytest

from chart import containers, of
from common import ROOT
from images import IMAGE, images, lacking
from load import Load
from pods import COMPONENTS, STREAMS, Pods, ports
from support import User, wait_until

MIB = 2**20


@pytest.fixture(scope="module")
def store():
    skip_if(lacking())
    with images() as made:
        skip_if(made.trouble())
        yield made


def skip_if(why):
    if why:
        pytest.skip(f"THE IMAGE AND ITS PODS ARE NOT TESTED HERE: {why}")


@pytest.fixture(scope="module")
def image(store):
    try:
        return store.build()
    except subprocess.TimeoutExpired as late:
        skip_if(f"{late.cmd[0]} did not end within {late.timeout:.0f} s")


@pytest.fixture(scope="module")
def files(store, image):
    """{path: (mode, size)} of all that is in it."""
    listing = subprocess.run(["tar", "-tv", "--numeric-owner"], input=exported(store), stdout=subprocess.PIPE, check=True).stdout.decode()
    return {line.split(maxsplit=5)[5].split(" -> ")[0]: (line[:10], int(line.split()[2])) for line in listing.splitlines()}


def exported(store):
    container = store.podman("create", IMAGE, "/usr/bin/orders")
    try:
        done = subprocess.run(["podman", "--root", store.storage, "--runroot", store.run_root, "export", container], env=store.environment,
                              stdout=subprocess.PIPE, check=True)
        return done.stdout
    finally:
        store.podman("rm", container)


def said(store, *words, check=True):
    return store.run("podman", "run", "--rm", "--network", "host", "--read-only", "--cap-drop", "all", IMAGE, *words, check=check)


# --- what it is ---

def test_small(image):
    assert image["Size"] < 60 * MIB, "of which libraries are most"


def test_what_is_in_it(files):
    """Programs, what they load, licences; nothing that one could work with, once inside."""
    programs = {path.parent.name for kind in ("services", "streams") for path in ROOT.glob(f"{kind}/*/main.c")} - {"stripe-sandbox"}
    assert {path.removeprefix("usr/bin/") for path in files if re.fullmatch("usr/bin/.+", path)} == programs | {"picture", "topics", "schemas", "rights"}
    assert not [path for path in files if re.search(r"(^|/)(sh|bash|busybox|dpkg|apt|python3?|perl)$", path)]
    assert not [path for path, (mode, _) in files.items() if "s" in mode.lower()[1:]], "nothing runs as somebody else"
    assert all(mode[8] != "w" for path, (mode, _) in files.items() if mode[0] != "l"), "nothing is everybody's to write"


def test_the_same_programs_make_the_same_image(store, image):
    """All is built again, as a source has changed, but not by what it says."""
    def remark(context):
        with open(context / "services/orders/main.c", "a") as source:
            source.write("/* Nothing. */\n")
    again = store.build(tag="onsale:again", edit=remark)
    assert again["RootFS"]["Layers"] == image["RootFS"]["Layers"] and again["Created"] == image["Created"]


def test_it_says_who_it_is(image):
    assert image["Config"]["User"] == "10001:10001" and not image["Config"].get("Entrypoint")
    labels = image["Config"]["Labels"]
    chart = (ROOT / "helm/onsale/Chart.yaml").read_text()
    assert labels["org.opencontainers.image.version"] == re.search(r'appVersion: "(.+)"', chart)[1]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_programs_run(store, image):
    for name in COMPONENTS:
        assert said(store, f"/usr/bin/{name}", "--help").stdout.startswith(f"usage: {name}")
    assert said(store, "/bin/sh", "-c", "true", check=False).returncode == 127, "there is no shell"


def test_bill_of_materials(store, image, files):
    """Every library is a file of a package that it names, with its licence."""
    text = subprocess.run(["tar", "-xO", "usr/share/onsale/sbom.spdx.json"], input=exported(store), stdout=subprocess.PIPE, check=True).stdout
    document = json.loads(text)
    assert document["spdxVersion"] == "SPDX-2.3" and document["SPDXID"] == "SPDXRef-DOCUMENT" and document["dataLicense"] == "CC0-1.0"
    ids = [package["SPDXID"] for package in document["packages"]]
    assert len(set(ids)) == len(ids)
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= {*ids, "SPDXRef-DOCUMENT"}
    names = {package["name"] for package in document["packages"]}
    assert names >= {"onsale", "libc6", "libpq5", "librdkafka1", "libssl3t64", "libh2o-evloop0.13", "ca-certificates", "tzdata"}
    for package in document["packages"]:
        assert package["versionInfo"] and (package["name"] == "onsale" or f"usr/share/doc/{package['name']}/copyright" in files)
    libraries = [path for path in files if re.search(r"\.so(\.|$)", path) and files[path][0][0] == "-"]
    assert len(libraries) >= len(names) - 3 > 10


# --- it runs ---

@pytest.fixture(scope="module")
def pods(store, image, stack, tmp_path_factory):
    """The whole release, in the place of the stack's own services, prepared by its own jobs."""
    for name in COMPONENTS:
        stack.supervisor("stop", name)
    made = Pods(store, stack, tmp_path_factory.mktemp("pods"))
    made.said = {name: made.job(name) for name in ("topics", "migrate-auth", "migrate-tickets", "migrate-orders", "migrate-payments")}
    made.running = {name: made.component(name) for name in COMPONENTS}
    for pod in made.running.values():
        pod.wait_ready()
    return made


def test_jobs_change_nothing_twice(pods):
    """The stack had done all of it before."""
    assert "created" not in pods.said["topics"] and "orders-value has id" in pods.said["topics"]
    assert all("applied" not in text for name, text in pods.said.items() if name.startswith("migrate-"))


def test_a_purchase(pods, stack):
    """With nothing but the API at the edge: sign up, list, order, pay; and what follows of it, up to the pages."""
    seller, buyer = User(stack.url), User(stack.url)
    for user, name in ((seller, "seller"), (buyer, "buyer")):
        assert user.post("/api/users/signup", json={"email": f"{name}@example.com", "password": "correct horse"}).status_code == 201
    ticket = seller.list_ticket("A seat in a pod")
    order = buyer.place(ticket)
    paid = wait_until(lambda: charged(buyer, order), "payments has heard of the order")
    assert paid["status"] == "succeeded"
    wait_until(lambda: buyer.get(f"/api/orders/{order['id']}").json()["status"] == "complete", "the order is complete")
    wait_until(lambda: buyer.get(f"/api/tickets/{ticket['id']}").json()["status"] == "sold", "the ticket is sold")
    page = buyer.get(f"/tickets/{ticket['id']}", headers={"Accept": "text/html"})
    assert page.status_code == 200 and "A seat in a pod" in page.text


def charged(buyer, order):
    answer = buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"}, timeout=30)
    assert answer.status_code in (201, 404), answer.text
    return answer.json() if answer.status_code == 201 else None


def test_processes_are_locked_down(pods):
    """As the kernel sees them."""
    for name, pod in pods.running.items():
        pid = pod.inspect()["State"]["Pid"]
        with open(f"/proc/{pid}/status") as lines:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in lines)
        assert status["Uid"].split() == ["10001"] * 4 and status["Gid"].split() == ["10001"] * 4, name
        assert all(int(status[part], 16) == 0 for part in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), f"{name} may do more than it has to"
        assert status["NoNewPrivs"] == "1", name
        with open(f"/proc/{pid}/mountinfo") as mounts:
            root = next(line.split() for line in mounts if line.split()[4] == "/")
        assert "ro" in root[5].split(","), f"{name} could write to its files"


def test_a_pod_goes_and_no_request_is_lost(pods, stack):
    """A roll of tickets under load: another pod comes, the edge forgets the old one, SIGTERM."""
    old = pods.component("tickets", "shop-tickets-1", DRAIN_DELAY="1s", **ports()).wait_ready()
    before = stack.topic("tickets").ends()
    with Load([old.url], stack.tokens(4)) as load:
        wait_until(lambda: len(load.listed) > 50, "tickets are being listed")
        new = pods.component("tickets", "shop-tickets-2", **ports()).wait_ready()
        load.endpoints = [old.url, new.url]
        listed = len(load.listed)
        wait_until(lambda: len(load.listed) > listed + 50, "both serve")
        load.endpoints = [new.url]
        old.signal("TERM")
        assert old.wait() == 0, old.logs()[-2000:]
        listed = len(load.listed)
        wait_until(lambda: len(load.listed) > listed + 50, "the new one serves alone")
    assert load.failures == []
    load.assert_told(stack, before)


def test_signals_reach_the_programs(pods):
    """A container's first process gets no signal that it does not ask for: each of them ends by itself, well within its grace."""
    grace = {doc["metadata"]["name"]: doc["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
             for doc in of(pods.docs, "Deployment") + of(pods.docs, "StatefulSet")}
    for name, pod in pods.running.items():
        assert containers(of(pods.docs, "StatefulSet" if name in STREAMS else "Deployment", f"shop-{name}"))[0]["lifecycle"]["preStop"]
        pod.signal("TERM")
        assert pod.wait() == 0, f"{name}: {pod.logs()[-1000:]}"
        assert re.search(r"stopped after (\d+) ms", pod.logs()), f"{name} was ended"
        assert int(re.search(r"stopped after (\d+) ms", pod.logs())[1]) < grace[f"shop-{name}"] * 1000
