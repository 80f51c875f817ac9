"""The chart on a real API server with its controllers: every document is taken, releases come, change, go back and go."""
import json
import os
import threading

import pytest

from chart import CHART, LEAST, MATRIX, Refused, helm, of, render, values_of
from cluster import HELD, cluster
from support import wait_until

MORE = {"monitoring": {"serviceMonitor": True, "rules": True}, "components": {"orders": {"autoscaling": {"enabled": True}}}}
KINDS = [("v1", "Service"), ("v1", "ServiceAccount"), ("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"),
         ("policy/v1", "PodDisruptionBudget"), ("autoscaling/v2", "HorizontalPodAutoscaler"), ("networking.k8s.io/v1", "NetworkPolicy"),
         ("gateway.networking.k8s.io/v1", "Gateway"), ("gateway.networking.k8s.io/v1", "HTTPRoute"),
         ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy"), ("monitoring.coreos.com/v1", "ServiceMonitor")]


pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


@pytest.fixture(scope="module")
def kube():
    with cluster() as made:
        yield made


@pytest.fixture
def namespace(kube, request):
    return kube.namespace(request.node.name.split("[")[0].replace("test_", "").replace("_", "-"))


class Release:
    def __init__(self, kube, namespace, name="shop"):
        self.kube, self.namespace, self.name = kube, namespace, name
        self.values = kube.directory / f"{namespace}-{name}.json"

    def helm(self, *words):
        return helm(*words, "-n", self.namespace, env=os.environ | {"KUBECONFIG": str(self.kube.kubeconfig)})

    def apply(self, word, *parts):
        """install or upgrade"""
        self.values.write_text(json.dumps(values_of(*parts)))
        return self.helm(word, self.name, CHART, "-f", self.values, "--wait", "--timeout", "240s")

    def list(self, version, kind, **labels):
        return self.kube.list(version, kind, self.namespace, instance=self.name, **labels)

    def images(self):
        return {container["image"] for version, kind in (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"))
                for doc in self.list(version, kind) for container in doc["spec"]["template"]["spec"]["containers"]}

    def status(self):
        return json.loads(self.helm("status", self.name, "-o", "json"))["info"]["status"]


def image(tag):
    return {"image": {"tag": tag}}


# --- every document ---

@pytest.mark.parametrize("values", MATRIX)
def test_taken(kube, values):
    """By a dry run: the server has defaults, validates, and knows every field."""
    if not hasattr(kube, "tickets"):
        kube.tickets = kube.namespace("tickets")
    for doc in render(MATRIX[values]):
        kube.create(doc, dry=True)


def test_not_everything_is_taken(kube):
    doc = of(render(LEAST), "Deployment")[0]
    doc["metadata"]["namespace"] = "default"
    doc["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(AssertionError, match=r'unknown field "spec.template.spec.containers\[0\].readynessProbe"'):
        kube.create(doc, dry=True)


# --- a release's life ---

class Watch:
    """Looks, all the time, at how many pods the Deployments of a release lack."""

    def __init__(self, release):
        self.release, self.missing, self._done = release, {}, threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self):
        while not self._done.wait(0.02):
            for doc in self.release.list("apps/v1", "Deployment"):
                now = doc["spec"]["replicas"] - doc.get("status", {}).get("availableReplicas", 0)
                self.missing[doc["metadata"]["name"]] = max(self.missing.get(doc["metadata"]["name"], 0), now)

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def test_life(kube, namespace):
    """install, upgrade, an upgrade that a job refuses, rollback, uninstall."""
    shop = Release(kube, namespace)
    shop.apply("install", LEAST, MORE, image("1"))
    assert shop.status() == "deployed" and shop.images() == {"onsale:1"}
    jobs = {doc["metadata"]["name"]: doc for doc in kube.list("batch/v1", "Job", namespace)}
    assert jobs.keys() == {"shop-topics", *(f"shop-migrate-{n}" for n in ("auth", "tickets", "orders", "payments"))}
    assert all(doc["status"]["succeeded"] == 1 for doc in jobs.values())
    deployments = shop.list("apps/v1", "Deployment")
    assert max(doc["status"]["completionTime"] for doc in jobs.values()) <= min(doc["metadata"]["creationTimestamp"] for doc in deployments)
    assert all(doc["status"]["availableReplicas"] == doc["spec"]["replicas"] for doc in deployments)
    assert {pod["metadata"]["name"] for pod in shop.list("v1", "Pod", component="expiration")} == {"shop-expiration-0", "shop-expiration-1"}
    wait_until(lambda: available(shop, "orders") == 2, "the autoscaler has brought orders to its least")

    with Watch(shop) as watch:
        shop.apply("upgrade", LEAST, MORE, image("2"))
    assert shop.images() == {"onsale:2"}
    assert set(watch.missing.values()) == {0}, f"pods were missing while it rolled: {watch.missing}"
    assert available(shop, "orders") == 2, "what the autoscaler did stays"
    again = {doc["metadata"]["name"]: doc for doc in kube.list("batch/v1", "Job", namespace)}
    assert again.keys() == jobs.keys() and all(again[n]["metadata"]["uid"] != jobs[n]["metadata"]["uid"] for n in jobs), "the jobs ran again"
    assert {pod["metadata"]["name"] for pod in shop.list("v1", "Pod", component="expiration")} == {"shop-expiration-0", "shop-expiration-1"}

    with pytest.raises(Refused, match="pre-upgrade hooks failed"):
        shop.apply("upgrade", LEAST, MORE, image("3"), {"jobs": {"activeDeadlineSeconds": 1, "podAnnotations": {HELD: "yes"}}})
    assert shop.images() == {"onsale:2"} and shop.status() == "failed", "nothing was changed before the jobs were done"

    shop.helm("rollback", shop.name, "1", "--wait", "--timeout", "240s")
    assert shop.status() == "deployed" and shop.images() == {"onsale:1"}
    back = {doc["metadata"]["name"]: doc for doc in kube.list("batch/v1", "Job", namespace) if "-migrate-" in doc["metadata"]["name"]}
    for name, doc in back.items():
        assert doc["metadata"]["uid"] != again[name]["metadata"]["uid"] and doc["status"]["succeeded"] == 1, "its functions are back"
        assert doc["spec"]["template"]["spec"]["containers"][0]["image"] == "onsale:1"
    assert len(back) == 4

    shop.helm("uninstall", shop.name, "--wait")
    for version, kind in KINDS:
        assert [doc["metadata"]["name"] for doc in shop.list(version, kind)] == ([] if (version, kind) != ("v1", "ServiceAccount") else leftover(shop))
    for doc in kube.list("batch/v1", "Job", namespace):
        assert doc["spec"]["ttlSecondsAfterFinished"] == 3600, "Helm leaves hooks where they are"


def available(shop, component):
    [doc] = shop.list("apps/v1", "Deployment", component=component)
    return doc["status"].get("availableReplicas", 0)


def leftover(shop):
    """Of a hook that failed there is what it needed, until the next one."""
    return [doc["metadata"]["name"] for doc in shop.list("v1", "ServiceAccount") if doc["metadata"]["name"] == "shop-jobs"]


def test_two_in_one_namespace(kube, namespace):
    """Each with all that it has; the second goes, and nothing of the first is touched."""
    first, second = Release(kube, namespace), Release(kube, namespace, "shop-orders")
    first.apply("install", LEAST, MORE)
    before = {(kind, doc["metadata"]["name"]): doc["metadata"]["uid"] for version, kind in KINDS for doc in first.list(version, kind)}
    second.apply("install", LEAST, MORE, {"edge": {"host": "second.test"}})
    for version, kind in KINDS:
        assert len(first.list(version, kind)) == len(second.list(version, kind)), kind
    endpoints = {kube_slice["metadata"]["labels"]["kubernetes.io/service-name"]: {e["targetRef"]["name"] for e in kube_slice["endpoints"] or []}
                 for kube_slice in wait_until(lambda: filled(kube, namespace), "each service has its pods")}
    for name, pods in endpoints.items():
        assert len(pods) == 2 and all(pod.startswith(name + "-") for pod in pods), f"{name} leads to {pods}"
    second.helm("uninstall", second.name, "--wait")
    after = {(kind, doc["metadata"]["name"]): doc["metadata"]["uid"] for version, kind in KINDS for doc in first.list(version, kind)}
    assert after == before and first.status() == "deployed"
    assert not [doc for version, kind in KINDS for doc in second.list(version, kind)]


def filled(kube, namespace):
    slices = kube.list("discovery.k8s.io/v1", "EndpointSlice", namespace)
    ours = [s for s in slices if s["endpoints"] and len(s["endpoints"]) == 2 and all(e["conditions"]["ready"] for e in s["endpoints"])]
    return ours if len(ours) == len(kube.list("v1", "Service", namespace)) else None


def test_data_outlives_the_release(kube, namespace):
    """What operators made of it is not Helm's to delete; and the release comes back to it."""
    shop = Release(kube, namespace)
    shop.apply("install", MATRIX["operators"])
    kinds = [("postgresql.cnpg.io/v1", "Cluster"), ("postgresql.cnpg.io/v1", "Database"), ("kafka.strimzi.io/v1", "Kafka"),
             ("kafka.strimzi.io/v1", "KafkaNodePool")]
    before = {doc["metadata"]["uid"] for version, kind in kinds for doc in shop.list(version, kind)}
    assert len(before) == 7
    shop.apply("upgrade", MATRIX["operators"], image("2"))
    shop.helm("uninstall", shop.name, "--wait")
    assert not shop.list("apps/v1", "Deployment") and not shop.list("kafka.strimzi.io/v1", "KafkaConnect")
    shop.apply("install", MATRIX["operators"])
    assert {doc["metadata"]["uid"] for version, kind in kinds for doc in shop.list(version, kind)} == before


def test_pods_may_be_evicted(kube, namespace):
    """A node that is emptied: one of two goes, the other one has to wait until it is back."""
    shop = Release(kube, namespace)
    others = values_of("values.yaml")["components"].keys() - {"orders"}
    shop.apply("install", LEAST, {"components": {name: {"enabled": False} for name in others}})
    budget = wait_until(lambda: [doc for doc in shop.list("policy/v1", "PodDisruptionBudget") if doc.get("status", {}).get("disruptionsAllowed") == 1],
                        "the budget counts its pods")
    assert [doc["metadata"]["name"] for doc in budget] == ["shop-orders"] and budget[0]["status"]["expectedPods"] == 2
