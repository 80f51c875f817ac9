"""The chart as text: what it renders over a matrix of values, and what it refuses. No cluster is needed for any of it."""
import json
import os
import re
import subprocess

import pytest
import yaml

from chart import CHART, LAKE, LEAST, MATRIX, WAREHOUSE, Refused, containers, helm, key, of, pod_labels, pod_spec, render, values_of
from common import ROOT
from conform import Conform
from support import read_yaml

GOLDEN = ROOT / "tests/deploy/golden"


def strings(part):
    """Every text in a document."""
    if isinstance(part, dict):
        for value in part.values():
            yield from strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from strings(value)
    elif isinstance(part, str):
        yield part


# --- it is well made ---

@pytest.mark.parametrize("name", MATRIX)
def test_lint(name, tmp_path):
    (tmp_path / "values.yaml").write_text(json.dumps(values_of(MATRIX[name])))
    helm("lint", "--strict", CHART, "-f", tmp_path / "values.yaml")


GOLDENS = {
    "service": ("least", lambda name: name.endswith("-orders")),
    "stream": ("least", lambda name: name == "shop-expiration"),
    "inside": ("inside", lambda name: name in ("shop-edge", "shop-orders", "shop-tls-orders")),
    "edge": ("tls", lambda name: name in ("shop-edge", "shop-to-https", "shop-not-found", "shop-web")),
    "operators": ("operators", lambda name: name in ("shop-kafka", "shop-postgres", "shop-database-orders", "shop-connect", "shop-topics-1")),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name, rendered):
    """What is to be read when it changes: GOLDEN=write ./onsale test deploy:golden writes it."""
    values, wanted = GOLDENS[name]
    docs = [doc for doc in without_files(rendered[values]) if wanted(doc["metadata"]["name"])]
    text = "---\n".join(yaml.safe_dump(doc, sort_keys=False, width=160) for doc in docs)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text)
    assert file.read_text() == text, f"{file} is another rendering; read the difference, then GOLDEN=write ./onsale test deploy:golden"


def without_files(docs):
    """What is another file of the tree would only be repeated."""
    return [doc | {"data": sorted(doc["data"])} if doc["kind"] == "ConfigMap" else doc for doc in docs if doc["kind"] != "KafkaConnector"]


@pytest.fixture(scope="module")
def conform(tmp_path_factory):
    return Conform(tmp_path_factory.mktemp("schemas"))


def test_conforms(rendered, conform):
    """Whatever is rendered, all at once: kubeconform reads what Kubernetes knows anew each time."""
    different = {json.dumps(doc, sort_keys=True): doc for docs in rendered.values() for doc in docs}
    assert conform.check([*different.values()]) == []


def test_conform_refuses(conform):
    """Or the test above would say nothing."""
    deployment, gateway = of(render(LEAST), "Deployment")[0], of(render(LEAST), "BackendTrafficPolicy")[0]
    kafka = of(render(MATRIX["operators"]), "Kafka")[0]
    for doc, path in ((deployment, ["spec", "template", "spec", "containers", 0]), (gateway, ["spec", "retry"]),
                      (kafka, ["spec", "kafka", "listeners", 0])):
        place = doc
        for step in path:
            place = place[step]
        place["misspelt"] = 1
        assert "misspelt" in " ".join(conform.check([doc]))


# --- what holds for every container ---

def test_containers_are_locked_down(docs):
    for doc in docs:
        spec = pod_spec(doc)
        if spec is None:
            continue
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 9999
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(doc):
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
                                                    "capabilities": {"drop": ["ALL"]}}, key(doc)
            assert container["resources"]["requests"].keys() == {"cpu", "memory"} and "memory" in container["resources"]["limits"]


def test_components_can_be_watched_and_stopped(docs):
    for doc in of(docs, "Deployment") + of(docs, "StatefulSet"):
        [container] = containers(doc)
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "admin"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
        assert {port["name"] for port in container["ports"]} >= {"admin"}
        waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod_spec(doc)["terminationGracePeriodSeconds"] > waits + exit_limit(), "or it is killed while it drains"
        # Not ready before it is forgotten: the edge looks at it within this time, however late.
        assert waits >= 2 * container["readinessProbe"]["periodSeconds"]


def exit_limit():
    """What a process allows itself from SIGTERM on."""
    return int(re.search(r"EXIT_LIMIT_S = (\d+)", (ROOT / "common/service/service.c").read_text())[1])


def test_deployments_never_have_less_than_they_should(docs):
    for doc in of(docs, "Deployment"):
        assert doc["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_streams_keep_their_names(docs):
    """A pod's name is its INSTANCE_ID, so that it gets its partitions back."""
    streams = of(docs, "StatefulSet")
    assert {doc["metadata"]["name"] for doc in streams} == {f"shop-{path.parent.name}" for path in ROOT.glob("streams/*/main.c")
                                                             if not (path.parent / "routes.c").exists()}
    for doc in streams:
        assert {"name": "INSTANCE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in containers(doc)[0]["env"]


# --- everything fits together ---

def test_names_are_unique(docs):
    assert len({key(doc) for doc in docs}) == len(docs)


@pytest.mark.parametrize("name", MATRIX)
def test_releases_do_not_clash(name, rendered):
    """Also when one is called as a part of another one is."""
    ours = {key(doc) for doc in rendered[name]}
    for other in ("shop-orders", "shop-migrate"):
        docs = render(MATRIX[name], release=other)
        assert not ours & {key(doc) for doc in docs}
        for doc in of(docs, "Service"):
            assert doc["spec"]["selector"]["app.kubernetes.io/instance"] == other


def test_selectors_match_pods(docs):
    pods = [pod_labels(doc) for doc in docs if pod_spec(doc)]
    for doc in docs:
        for selector in selectors(doc):
            assert any(selector.items() <= labels.items() for labels in pods), f"{key(doc)} selects nothing: {selector}"
    for doc in of(docs, "Deployment") + of(docs, "StatefulSet"):
        selected = doc["spec"]["selector"]["matchLabels"]
        assert sum(selected.items() <= labels.items() for labels in pods) == 1, f"{key(doc)} takes others' pods"
        assert "app.kubernetes.io/version" not in selected, "it may never change"


def selectors(doc):
    """Of pods of this release."""
    if doc["kind"] == "Service":
        yield doc["spec"]["selector"]
    elif doc["kind"] == "NetworkPolicy":
        if "strimzi.io/kind" in doc["spec"]["podSelector"]["matchLabels"]:
            return  # of pods that Strimzi makes
        yield doc["spec"]["podSelector"]["matchLabels"]
        for rule in doc["spec"].get("ingress", []):
            yield from (peer["podSelector"]["matchLabels"] for peer in rule["from"] if "podSelector" in peer)
        for rule in doc["spec"].get("egress", []):
            yield from (labels for peer in rule["to"] if "app.kubernetes.io/name" in (labels := peer.get("podSelector", {}).get("matchLabels", {})))
    elif doc["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        yield doc["spec"]["selector"]["matchLabels"]


def test_what_is_named_is_there(docs):
    names = {(doc["kind"], doc["metadata"]["name"]) for doc in docs}
    for doc in docs:
        if pod_spec(doc):
            assert ("ServiceAccount", pod_spec(doc)["serviceAccountName"]) in names
        if doc["kind"] == "HorizontalPodAutoscaler":
            target = doc["spec"]["scaleTargetRef"]
            assert (target["kind"], target["name"]) in names
            assert "replicas" not in of(docs, target["kind"], target["name"])["spec"], "each upgrade would undo what the autoscaler did"
        if doc["kind"] == "HTTPRoute":
            for rule in doc["spec"]["rules"]:
                assert all(("Service", ref["name"]) in names for ref in rule.get("backendRefs", []))
                assert all(("HTTPRouteFilter", f["extensionRef"]["name"]) in names for f in rule.get("filters", []) if "extensionRef" in f)
        if doc["kind"] == "BackendTrafficPolicy":
            assert all((ref["kind"], ref["name"]) in names for ref in doc["spec"]["targetRefs"])
        for text in strings(doc):
            for host in re.findall(r"https?://(shop-[a-z]+):8080", text):
                assert ("Service", host) in names or host == "shop-payments", f"{key(doc)} asks {host}"


def test_secrets_are_those_that_were_named(docs):
    """The chart makes none: each that is used is named in the values."""
    assert not of(docs, "Secret")
    for doc in docs:
        for container in containers(doc):
            for name in (e["valueFrom"]["secretKeyRef"]["name"] for e in container.get("env", []) if "secretKeyRef" in e.get("valueFrom", {})):
                assert name in {"auth", "tickets", "orders", "payments", "kafka", "registry", "warehouse", "lake"} | {
                    f"onsale-{n}" for n in ("auth", "tickets", "orders", "payments", "kafka", "mail", "registry")} | {
                    f"onsale-{n}-{role}" for n in ("auth", "tickets", "orders", "payments") for role in ("owner", "replication")}
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= {volume["name"] for volume in pod_spec(doc).get("volumes", [])}


def settings_of(program):
    """{name: whether it must be given}"""
    text = subprocess.run([ROOT / "build/release" / program, "--help"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return {name: default == "(required)" for name, default in re.findall(r"^([A-Z_]+) +(?!KIND)[a-z]+ +(\S+) ", text, re.M)}


def test_programs_read_what_they_are_given(docs):
    """Each program of the checkout has every setting that it requires, and none that it does not know."""
    deployed = of(docs, "Deployment") + of(docs, "StatefulSet")
    for doc in deployed:
        [container] = containers(doc)
        program = container["command"][0].removeprefix("/usr/bin/")
        known = settings_of(program)
        others = re.compile("RDKAFKA_|PGSSL|(REPLICATION_)?DATABASE_(USERNAME|PASSWORD)")
        given = {e["name"].removesuffix("_FILE") for e in container["env"] if not others.match(e["name"])}
        assert given <= set(known), f"{program} does not know {given - set(known)}"
        assert {name for name, required in known.items() if required} <= given
        assert "JWKS_URL" in given or "JWKS_URL" not in known or program == "auth"
        assert "INSTANCE_ID" in given or "INSTANCE_ID" not in known
        assert ("SESSION_KEYS" in given) == (program == "auth") and ("TICKET_KEYS" in given) == (program == "tickets")
        assert ("LINK_KEYS" in given) == (program in ("auth", "mail"))
        assert ("WAITING_KEYS" in given) == (program in ("waiting", "orders")) and ("WAITING_SEED_KEYS" in given) == (program == "waiting")
        names = [e["name"] for e in container["env"]]
        assert len(set(names)) == len(names)


def test_all_programs_are_there(rendered):
    programs = {path.parent.name for kind in ("services", "streams") for path in ROOT.glob(f"{kind}/*/main.c")} - {"stripe-sandbox"}
    for name in ("least", "production"):
        assert {doc["metadata"]["name"] for doc in of(rendered[name], "Deployment") + of(rendered[name], "StatefulSet")} == {f"shop-{p}" for p in programs}


# --- jobs ---

def is_hook(doc):
    return "helm.sh/hook" in doc["metadata"].get("annotations", {})


def selects(policy, labels):
    return policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_what_pods_need_is_there_as_long_as_they(docs):
    """Helm deletes the account and the network policy of hooks when they are done."""
    accounts = {doc["metadata"]["name"]: doc for doc in of(docs, "ServiceAccount")}
    policies = of(docs, "NetworkPolicy")
    for doc in docs:
        pod = pod_spec(doc)
        if pod is not None and not is_hook(doc):
            assert not is_hook(accounts[pod["serviceAccountName"]]), doc["metadata"]["name"]
            labels = pod_labels(doc)
            mine = [policy for policy in policies if selects(policy, labels)]
            assert bool(mine) == bool(policies) and not any(map(is_hook, mine)), doc["metadata"]["name"]


def test_jobs_come_first(rendered):
    """Databases, topics and schemas before anything that needs them; but with them where operators make these."""
    for name, docs in rendered.items():
        jobs = [doc for doc in of(docs, "Job") if "warehouse" not in doc["metadata"]["name"]]
        names = {"topics", *(f"migrate-{n}" for n in ("auth", "tickets", "orders", "payments") if not (name == "fewer" and n == "payments"))}
        assert {re.sub(r"-\d+$", "", doc["metadata"]["name"].removeprefix("shop-")) for doc in jobs} == names
        for doc in jobs:
            hook = doc["metadata"].get("annotations", {}).get("helm.sh/hook")
            back = ",pre-rollback" if "-migrate-" in doc["metadata"]["name"] else ""  # which puts functions of the database back
            assert hook == (None if name in ("operators", "users") else f"pre-install,pre-upgrade{back}")
            assert pod_spec(doc)["restartPolicy"] == "Never" and doc["spec"]["backoffLimit"] > 5, "Postgres may take its time"
        if name not in ("operators", "users"):
            account = of(docs, "ServiceAccount", "shop-jobs")["metadata"]["annotations"]
            assert int(account["helm.sh/hook-weight"]) < min(int(doc["metadata"]["annotations"]["helm.sh/hook-weight"]) for doc in jobs)


def test_what_has_data_is_kept(rendered):
    data = [doc for doc in rendered["operators"] if doc["kind"] in ("Kafka", "KafkaNodePool", "Cluster", "Database")]
    assert len(data) == 7
    assert all(doc["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for doc in data)


def test_strimzi(rendered):
    docs = [doc for doc in rendered["operators"] if "strimzi" in doc["apiVersion"]]
    assert {doc["apiVersion"] for doc in docs} == {"kafka.strimzi.io/v1"}
    assert {doc["metadata"]["labels"].get("strimzi.io/cluster") for doc in of(docs, "KafkaNodePool")} == {"shop-kafka"}
    sinks = {path.stem for path in (ROOT / "connect/sinks").glob("*.json")}
    assert {doc["metadata"]["name"] for doc in of(docs, "KafkaConnector")} == {f"shop-sink-{sink}" for sink in sinks}
    for doc in of(docs, "KafkaConnector"):
        whole = json.loads((ROOT / f"connect/sinks/{doc['metadata']['name'].removeprefix('shop-sink-')}.json").read_text())
        assert doc["metadata"]["labels"]["strimzi.io/cluster"] == of(docs, "KafkaConnect")[0]["metadata"]["name"]
        assert {"connector.class": doc["spec"]["class"], "tasks.max": str(doc["spec"]["tasksMax"]), **doc["spec"]["config"]} == whole


def test_the_lake(rendered):
    """What connect/apply makes of the same files (lake_sink), where each of its variables comes from, and who puts the files together."""
    docs, common = rendered["lake"], json.loads((ROOT / "connect/lake/sink.json").read_text())
    found = {doc["metadata"]["name"].removeprefix("shop-lake-"): doc["spec"] for doc in of(docs, "KafkaConnector") if "lake" in doc["metadata"]["name"]}
    sinks = {path.stem: json.loads(path.read_text()) for path in (ROOT / "connect/sinks").glob("*.json") if path.stem != "dead-letters"}
    assert found.keys() == sinks.keys()
    for name, sink in sinks.items():
        table, spec = f"onsale.{sink['collection.name.format']}", found[name]
        wanted = {key: value for key, value in sink.items() if key in ("topics", "tasks.max") or key.startswith(("transforms", "predicates"))} | common | {
            "iceberg.tables": table, f"iceberg.table.{table}.id-columns": sink["primary.key.fields"]}
        assert {"connector.class": spec["class"], "tasks.max": str(spec["tasksMax"]), **spec["config"]} == wanted
        assert spec["autoRestart"] == {"enabled": True}
    worker = of(docs, "KafkaConnect")[0]["spec"]["template"]["connectContainer"]["env"]
    assert set(re.findall(r"\$\{env:(\w+)\}", json.dumps(common))) <= {env["name"] for env in worker}
    [tidy] = containers(of(docs, "CronJob", "shop-lake"))
    s3 = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_S3": "https://s3.onsale.test"}
    for env in (worker, tidy["env"]):
        assert s3.items() <= {e["name"]: e.get("value") for e in env}.items()
        secrets = {e["name"]: e["valueFrom"]["secretKeyRef"]["name"] for e in env if "valueFrom" in e}
        assert {name for name, secret in secrets.items() if secret == "lake"} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    files = {doc["metadata"]["name"]: doc["data"] for doc in of(docs, "ConfigMap")}
    assert files["shop-warehouse"]["lake.sql"].strip() == (ROOT / "connect/lake/catalogue.sql").read_text().strip()
    assert files["shop-lake"]["tidy"].strip() == (ROOT / "connect/lake/tidy").read_text().strip() and tidy["command"] == ["python3", "/lake/tidy"]


def test_connect_is_that_of_the_properties(rendered):
    """Where both say something they say the same."""
    lines = (ROOT / "connect/worker.properties").read_text().splitlines()
    known = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    config = of(rendered["warehouse"], "KafkaConnect")[0]["spec"]["config"]
    for name, value in config.items():
        if not name.endswith("registry.url") and ".auth." not in name:
            assert known[name] == (str(value).lower() if isinstance(value, bool) else str(value)), name


def test_ten_times_as_many(rendered):
    """Of docs/scaling.md: the connections of all pods, at a roll one more, fit into one server of each service."""
    of_a_pod = {"auth": 2, "tickets": 3, "orders": 3, "payments": 4}  # test_rotation counts them
    for name, others in of_a_pod.items():
        doc = of(rendered["10x"], "Deployment", f"shop-{name}")
        threads = int(next((e["value"] for e in containers(doc)[0]["env"] if e["name"] == "HTTP_THREADS"), 1))
        assert (doc["spec"]["replicas"] + 1) * (2 * threads + others) + 1 < 100, "Postgres' own limit"
    streams = {doc["metadata"]["name"]: doc["spec"]["replicas"] for doc in of(rendered["10x"], "StatefulSet")}
    assert max(streams.values()) <= 12, "more than there are partitions"


# --- the edge ---

def test_paths_lead_where_they_should(rendered):
    """As dev/edge.py has them, in any letter case; an expression goes before the prefixes of pages and of what is not found."""
    import edge
    docs = rendered["least"]
    routes = {}
    for doc in of(docs, "HTTPRoute"):
        for rule in doc["spec"]["rules"]:
            for match in rule["matches"]:
                backends = rule.get("backendRefs")
                routes[match["path"]["type"], match["path"]["value"]] = backends[0]["name"] if backends else None
    for path, service in edge.PATHS.items():
        path = path.replace("*", "1")
        for request in (path, path.upper(), path + "/", path + "/x/y"):
            hits = {value: to for (kind, value), to in routes.items() if kind == "RegularExpression" and re.fullmatch(value, request)}
            assert hits[max(hits, key=len)] == f"shop-{service}", request  # as Envoy Gateway sorts them
    for request in ("/api/ticketsx", "/", "/tickets", "/apix", "/wellXknown/jwks.json"):
        assert not any(re.fullmatch(value, request) for kind, value in routes if kind == "RegularExpression"), request
    assert routes["PathPrefix", "/"] == routes["Exact", "/live"] == "shop-web"
    assert routes["PathPrefix", "/api"] is None and routes["PathPrefix", "/.well-known"] is None


def test_the_edge_answers_json(rendered):
    for doc in of(rendered["least"], "BackendTrafficPolicy"):
        overrides = doc["spec"]["responseOverride"]
        assert {o["match"]["statusCodes"][0]["value"] for o in overrides} == {408, 413, 429, 502, 503, 504}
        for override in overrides:
            assert override["source"] == "Local", "what a service answers stays as it is: its 503 has Retry-After, its 429 a reason"
            if doc["metadata"]["name"] != "shop-web":
                assert override["response"]["contentType"] == "application/json"
                [error] = json.loads(override["response"]["body"]["inline"])["errors"]
                assert error.keys() == {"message"}
    assert "<html" in of(rendered["least"], "ConfigMap", "shop-edge")["data"]["response.body"]


def test_the_edge_limits(rendered):
    def rules(name):
        spec = of(rendered["least"], "BackendTrafficPolicy", f"shop-{name}")["spec"]
        return [(s.get("path", {}).get("value"), rule["limit"]["requests"]) for rule in spec["rateLimit"]["local"]["rules"]
                for s in rule["clientSelectors"] if s["sourceCIDR"] == {"type": "Distinct", "value": "0.0.0.0/0"}]
    assert rules("auth") == [("(?i)/api/users/signin/?([?].*)?", 30), ("(?i)/api/users/signup/?([?].*)?", 20), (None, 6000)]
    assert rules("orders") == [("(?i)/api/orders/?([?].*)?", 120), ("(?i)/api/purchases/?([?].*)?", 120), (None, 6000)]
    assert rules("tickets") == [(None, 6000)]
    assert rules("web") == [("(?i)/signin/?([?].*)?", 30), ("(?i)/signup/?([?].*)?", 20), ("(?i)/tickets/[^/]+/buy/?([?].*)?", 120),
                            ("(?i)/shows/[^/]+/buy/?([?].*)?", 120), ("(?i)/shows/[^/]+/areas/[^/]+/?([?].*)?", 120)], "as by the APIs"


def test_the_edge_breaks_circuits(rendered):
    """Pages have more, as each keeps a request open."""
    for doc in of(rendered["least"], "BackendTrafficPolicy"):
        most = 20000 if doc["metadata"]["name"] == "shop-web" else 1024
        assert doc["spec"]["circuitBreaker"] == {"maxConnections": most + 1024, "maxParallelRequests": most, "maxPendingRequests": 1024}
    [policy] = of(rendered["least"], "ClientTrafficPolicy")
    assert policy["spec"]["connection"] == {"connectionLimit": {"value": 20000}}


def test_the_edge_never_asks_twice(rendered):
    """What a service may have begun to do is not repeated."""
    for doc in of(rendered["least"], "BackendTrafficPolicy"):
        assert set(doc["spec"]["retry"]["retryOn"]["triggers"]) == {"connect-failure", "refused-stream", "reset-before-request"}


def test_tls(rendered):
    docs = rendered["tls"]
    [gateway] = of(docs, "Gateway")
    assert [listener["name"] for listener in gateway["spec"]["listeners"]] == ["http", "https"]
    for doc in of(docs, "HTTPRoute"):
        [parent] = doc["spec"]["parentRefs"]
        redirects = any(f["type"] == "RequestRedirect" for rule in doc["spec"]["rules"] for f in rule.get("filters", []))
        assert parent["sectionName"] == ("http" if redirects else "https"), "nothing is answered without TLS"
    for doc in of(docs, "Deployment"):
        assert {"name": "SECURE_COOKIES", "value": "true"} in containers(doc)[0]["env"]


INSIDE = {"inside": "shop-tls-", "inside-ours": "inside-"}  # what the Secrets' names begin with


@pytest.mark.parametrize("name", INSIDE)
def test_services_speak_tls_inside(name, rendered):
    for doc in of(rendered[name], "Deployment"):
        [container], component = containers(doc), doc["metadata"]["labels"]["app.kubernetes.io/component"]
        env = {e["name"]: e.get("value") for e in container["env"]}
        files = {f"/etc/onsale/tls/{file}" for file in ("tls.crt", "tls.key", "ca.crt")}
        assert {env[f"HTTP_TLS_{word}"] for word in ("CERT", "KEY", "CLIENT_CA")} == {env[f"INTERNAL_TLS_{word}"] for word in ("CERT", "KEY", "CA")} == files
        assert {"name": "tls", "mountPath": "/etc/onsale/tls", "readOnly": True} in container["volumeMounts"]
        [secret] = [volume["secret"] for volume in pod_spec(doc)["volumes"] if volume["name"] == "tls"]
        assert secret["secretName"] == INSIDE[name] + component and {item["path"] for item in secret["items"]} == {"tls.crt", "tls.key", "ca.crt"}
        [port] = [port for port in of(rendered[name], "Service", doc["metadata"]["name"])["spec"]["ports"] if port["name"] == "http"]
        assert port["appProtocol"] == "https"
    assert not [text for doc in rendered[name] for text in strings(doc) if "http://shop-" in text], "nobody asks without"
    for doc in of(rendered[name], "StatefulSet"):
        assert not [e["name"] for e in containers(doc)[0]["env"] if "_TLS_" in e["name"]], "it is asked by nobody, and asks nobody"


@pytest.mark.parametrize("name", INSIDE)
def test_the_edge_asks_by_tls_inside(name, rendered):
    docs = rendered[name]
    asked = {ref["name"] for doc in of(docs, "HTTPRoute") for rule in doc["spec"]["rules"] for ref in rule.get("backendRefs", [])}
    for doc in of(docs, "BackendTLSPolicy"):
        [target] = doc["spec"]["targetRefs"]
        validation = doc["spec"]["validation"]
        assert target == {"group": "", "kind": "Service", "name": doc["metadata"]["name"], "sectionName": "http"}
        assert validation["hostname"] == target["name"] and [ref["name"] for ref in validation["caCertificateRefs"]] == [f"{INSIDE[name]}edge"]
    assert {doc["metadata"]["name"] for doc in of(docs, "BackendTLSPolicy")} == asked
    if name == "inside":
        [gateway] = of(docs, "Gateway")
        assert gateway["spec"]["tls"]["backend"]["clientCertificateRef"]["name"] == "shop-tls-edge"


def test_certificates_are_of_the_names_that_are_asked(rendered):
    docs = rendered["inside"]
    names = {doc["spec"]["secretName"]: doc["spec"]["dnsNames"] for doc in of(docs, "Certificate")}
    assert names.keys() == {f"shop-tls-{part}" for part in ("edge", *(doc["metadata"]["name"].removeprefix("shop-") for doc in of(docs, "Deployment")))}
    for secret, hosts in names.items():
        host = secret.replace("-tls-", "-")
        assert hosts == [host, f"{host}.tickets.svc"]
    assert all({"server auth", "client auth"} <= set(doc["spec"]["usages"]) for doc in of(docs, "Certificate"))
    assert not of(rendered["inside-ours"], "Certificate") and not of(rendered["least"], "BackendTLSPolicy")


# --- what is refused ---

REFUSED = [
    ({"components": {"orders": {"replicas": "three"}}}, "/components/orders/replicas': got string, want integer"),
    ({"components": {"orders": {"replica": 3}}}, "additional properties 'replica' not allowed"),
    ({"components": {"orders": {"settings": {"hold-seconds": 9}}}}, "invalid propertyName 'hold-seconds'"),
    ({"components": {"audit": {"replicas": 1}}}, "missing properties 'kind', 'needs'"),
    ({"components": {"orders": {"kind": "daemon"}}}, "must be one of 'service', 'stream'"),
    ({"kafka": {"brokers": "kafka"}}, "at '/kafka/brokers': 'kafka' does not match pattern"),
    ({"registry": {"url": "registry:8080"}}, "at '/registry/url'"),
    ({"image": {"digest": "latest"}}, "at '/image/digest'"),
    ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy': value must be one of"),
    ({"edge": {"host": "https://onsale.test"}}, "at '/edge/host'"),
    ({"edge": {"limits": {"orders": 0}}}, "at '/edge/limits/orders': minimum"),
    ({"edge": {"breakers": {"streams": 0}}}, "at '/edge/breakers/streams': minimum"),
    ({"sessions": {"keys": []}}, "at '/sessions/keys': minItems"),
    ({"drain": {"preStopSeconds": 0}}, "at '/drain/preStopSeconds': minimum"),
    ({"tls": {"inside": {"enabled": "yes"}}}, "at '/tls/inside/enabled': got string, want boolean"),
    ({"tls": {"inside": {"issuer": "inside"}}}, "at '/tls/inside/issuer'"),
    ({"typo": True}, "additional properties 'typo' not allowed"),
    ({"kafka": {"brokers": ""}}, "kafka.brokers: must be given (HOST:PORT,...), or strimzi.enabled"),
    ({"registry": {"url": ""}}, "registry.url: must be given"),
    ({"sessions": {"existingSecret": ""}}, "sessions.existingSecret: must be given: a Secret with the PEM files"),
    ({"queues": {"existingSecret": ""}}, "queues.existingSecret: must be given: a Secret with the files"),
    ({"letters": {"existingSecret": ""}}, "letters.existingSecret: must be given: a Secret with the files"),
    ({"letters": {"smtp": ""}}, "letters.smtp: must be given"),
    ({"letters": {"smtp": "smtp.example:25"}}, "at '/letters/smtp'"),
    ({"letters": {"from": "Onsale <a@b.example>"}}, "at '/letters/from'"),
    ({"codes": {"existingSecret": ""}}, "codes.existingSecret: must be given: a Secret with the PEM files"),
    ({"components": {"payments": {"existingSecret": ""}}},
     "components.payments.existingSecret: must be given: a Secret with DATABASE_URL, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS"),
    ({"cnpg": {"enabled": True}, "components": {"orders": {"existingSecret": ""}}}, "a Secret with username, password"),
    ({"kafka": {"secretProperties": ["sasl.password"]}}, "kafka.existingSecret: must be given"),
    ({"kafka": {"users": {"prefix": "onsale-", "cluster": "events"}}}, "kafka.users.prefix: is of users that are there already"),
    ({"defaults": {"autoscaling": {"minReplicas": 9}}}, "minReplicas is more than maxReplicas"),
    ({"edge": {"host": ""}}, "edge.host: must be given"),
    ({"trustedProxies": ""}, "trustedProxies: must be given"),
    ({"networkPolicy": {"kafka": {"to": []}}}, "networkPolicy.kafka.to: must be given"),
    ({"networkPolicy": {"postgres": {"to": []}}}, "networkPolicy.postgres.to: must be given"),
    ({"edge": {"gateway": {"create": False}}}, "edge.gateway.existing.name: must be given"),
    ({**WAREHOUSE, "connect": WAREHOUSE["connect"] | LAKE["connect"]}, "networkPolicy.lake.to: must be given"),
    ({"connect": WAREHOUSE["connect"] | {"lake": {"location": "s3://lake"}}, "networkPolicy": WAREHOUSE["networkPolicy"] | LAKE["networkPolicy"]},
     "connect.lake.region: must be given with connect.lake.location"),
    ({"connect": {"enabled": True}}, "networkPolicy.warehouse.to: must be given"),
    ({"connect": {"enabled": True}, "networkPolicy": WAREHOUSE["networkPolicy"]}, "connect.image: must be given when connect.enabled"),
]


@pytest.mark.parametrize("values, words", REFUSED, ids=[words for _, words in REFUSED])
def test_refused(values, words):
    with pytest.raises(Refused) as refused:
        render(LEAST, values)
    assert words in str(refused.value)


def test_long_names_are_refused():
    with pytest.raises(Refused, match="longer than 40 characters"):
        render(LEAST, release="a" * 41)


def test_nothing_is_guessed():
    """Without values the chart says what it wants first."""
    with pytest.raises(Refused, match=r"kafka\.brokers: must be given"):
        render({})


# --- what it says of itself ---

def test_the_package_is_whole(tmp_path):
    """The links into the tree become files: the package renders the same elsewhere."""
    helm("package", CHART, "-d", tmp_path)
    [package] = tmp_path.glob("*.tgz")
    parts = (LEAST, MATRIX["monitored"], MATRIX["lake"])
    assert render(*parts, chart=package) == render(*parts)
    dashboard = of(render(*parts), "ConfigMap", "shop-monitoring")["data"]["shop-onsale.json"]
    assert json.loads(dashboard) == json.loads((ROOT / "monitoring/dashboard.json").read_text())
    rules = of(render(*parts), "PrometheusRule")[0]["spec"]
    assert rules == read_yaml(ROOT / "monitoring/rules.yaml")


def values_table():
    """README.md's, of values.yaml: its comments are what they mean."""
    rows, path = [], []
    for line in (CHART / "values.yaml").read_text().splitlines():
        if line == "components:":
            path = ["components"]
        found = re.fullmatch(r"( *)([A-Za-z]+):(?: ([^#]*?))?(?: # (.*))?", line)
        if not found or (path[:1] == ["components"] and found[1]):
            continue
        depth, name, default, meaning = len(found[1]) // 2, found[2], found[3], found[4]
        path = [*path[:depth], name]
        if default:
            assert meaning, f"values.yaml does not say what {'.'.join(path)} is"
            rows.append(f"| `{'.'.join(path)}` | `{default}` | {meaning} |")
    return "\n".join(rows)


def test_the_readme_has_every_value():
    table = values_table()
    assert table.count("\n") > 60
    assert table in (CHART / "README.md").read_text(), f"the table of helm/onsale/README.md is to be:\n{table}"


def test_notes(rendered, tmp_path):
    def notes(*parts):
        (tmp_path / "values.yaml").write_text(json.dumps(values_of(*parts)))
        return helm("install", "shop", CHART, "--dry-run=client", "-n", "tickets", "-f", tmp_path / "values.yaml").split("NOTES:")[1]
    assert "http://onsale.test, at the address" in notes(LEAST)
    assert "https://onsale.test, at the address" in notes(MATRIX["tls"])
    assert "port-forward service/shop-tickets" in notes(MATRIX["no-edge"]) and "networkPolicy.enabled is false" in notes(MATRIX["no-edge"])
    assert "sessions.secureCookies is false" in notes(MATRIX["dev"])


def test_other_origins_are_for_the_apis():
    docs = render([LEAST, {"corsOrigins": ["https://shop.example", "http://127.0.0.1:5173"]}])
    given = {doc["metadata"]["name"]: env["value"] for doc in of(docs, "Deployment") for env in containers(doc)[0]["env"] if env["name"] == "CORS_ORIGINS"}
    assert given == {f"shop-{name}": "https://shop.example,http://127.0.0.1:5173" for name in ("auth", "tickets", "orders", "payments")}
