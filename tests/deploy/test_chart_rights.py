"""The chart as text: who may do what. Kafka's users and their rights, roles of Postgres, who asks the registry, and what the network lets through."""
import json
import re

import pytest

from chart import containers, key, of, pod_labels, pod_spec
from common import ROOT

# --- users of Kafka ---

RIGHTS = {user["name"]: user for user in json.loads((ROOT / "schemas/rights.json").read_text())["users"]}


def rights_of(user, release="shop"):
    """{(kind, name, kind of name): operations} of the table; what is Connect's own has the release's name."""
    rights = {}

    def add(operation, kind, word, of):
        for name in of.get(word, []):
            prefix = name.endswith("*")
            rights.setdefault((kind, name.rstrip("*"), "prefix" if prefix else "literal"), set()).add(operation)
    if user["name"] == "connect":  # as connect.yaml calls them
        text = json.dumps(user).replace('"connect-warehouse-', f'"connect-{release}-sink-').replace('"connect-lake-', f'"connect-{release}-lake-')
        for name in ("configs", "offsets", "status"):
            text = text.replace(f'"connect-{name}"', f'"{release}-connect-{name}"')
        user = json.loads(text) | {"name": "connect"}
        user["groups"] = [f"{release}-connect" if name == "connect" else name for name in user["groups"]]
    for operation, kind, word in (("Write", "topic", "publishes"), ("Read", "topic", "publishes"), ("DescribeConfigs", "topic", "publishes"),
                                  ("Write", "topic", "writes"), ("Read", "topic", "reads"), ("Create", "topic", "creates"), ("Read", "group", "groups"),
                                  ("Delete", "group", "resets"), ("Write", "transactionalId", "transactions")):
        add(operation, kind, word, user)
    if "cluster" in user:
        rights["cluster", None, None] = {"DescribeConfigs"}
    return rights


@pytest.mark.parametrize("name", ["operators", "users"])
def test_users_have_the_rights_of_the_table(name, rendered):
    found = {doc["metadata"]["name"].removeprefix("shop-user-"): doc for doc in of(rendered[name], "KafkaUser")}
    assert found.keys() == RIGHTS.keys()
    for user, doc in found.items():
        assert doc["metadata"]["labels"]["strimzi.io/cluster"] == ("shop-kafka" if name == "operators" else "events")
        assert doc["spec"]["authentication"] == {"type": "scram-sha-512"} and doc["spec"]["authorization"]["type"] == "simple"
        rights = {}
        for acl in doc["spec"]["authorization"]["acls"]:
            resource = acl["resource"]
            rights.setdefault((resource["type"], resource.get("name"), resource.get("patternType")), set()).update(acl["operations"])
        assert rights == rights_of(RIGHTS[user]), user


def logins(docs):
    """{component: (its user, the Secret of the password)}, of pods that log in to Kafka."""
    found = {}
    for doc in docs:
        env = {e["name"]: e.get("value") for container in containers(doc) for e in container.get("env", [])}
        if "KAFKA_USER" in env:
            [secret] = [v["secret"]["secretName"] for v in pod_spec(doc)["volumes"] if v["name"] == "kafka-user"]
            assert env["KAFKA_PASSWORD_FILE"] == "/etc/onsale/kafka-user/password"
            found[re.sub(r"^shop-|-\d+$", "", doc["metadata"]["name"])] = (env["KAFKA_USER"], secret)
    return found


def test_each_process_is_a_user_of_its_own(rendered):
    processes = RIGHTS.keys() - {"connect"}
    assert logins(rendered["operators"]) == logins(rendered["users"]) == {name: (f"shop-user-{name}",) * 2 for name in processes}
    assert logins(rendered["production"]) == {name: (f"onsale-kafka-{name}",) * 2 for name in processes}
    assert logins(rendered["least"]) == {}
    for name in ("operators", "users"):
        connect = of(rendered[name], "KafkaConnect")[0]["spec"]
        assert connect["authentication"] == {"type": "scram-sha-512", "username": "shop-user-connect",
                                             "passwordSecret": {"secretName": "shop-user-connect", "password": "password"}}
        assert "tls" in connect


def test_kafka_of_the_operator_wants_to_know_who_one_is(rendered):
    spec = of(rendered["operators"], "Kafka")[0]["spec"]
    assert spec["kafka"]["authorization"] == {"type": "simple"} and "userOperator" in spec["entityOperator"]
    assert [(listener["tls"], listener["authentication"]["type"]) for listener in spec["kafka"]["listeners"]] == [(True, "scram-sha-512")]
    for doc in of(rendered["operators"], "Deployment"):
        env = {e["name"]: e.get("value") for e in containers(doc)[0]["env"]}
        assert (env["KAFKA_BROKERS"], env["KAFKA_TLS"], env["KAFKA_CA"]) == ("shop-kafka-kafka-bootstrap:9093", "true", "/etc/onsale/kafka/ca.crt")
        assert {"shop-kafka-cluster-ca-cert"} <= {v["secret"]["secretName"] for v in pod_spec(doc)["volumes"]}


# --- roles of Postgres ---

def test_postgres_of_the_operator(rendered):
    docs = rendered["operators"]
    [cluster] = of(docs, "Cluster")
    roles = cluster["spec"]["managed"]["roles"]
    assert all(role["login"] for role in roles) and {role["name"]: role.get("replication", False) for role in roles} == {
        "auth": True, "tickets": True, "payments": True, "orders": False, "orders-owner": False, "orders-replication": True}
    assert {doc["spec"]["name"]: doc["spec"]["owner"] for doc in of(docs, "Database")} == {
        "auth": "auth", "tickets": "tickets", "orders": "orders-owner", "payments": "payments"}
    assert cluster["spec"]["postgresql"]["parameters"]["wal_level"] == "logical"
    assert cluster["spec"]["postgresql"]["pg_hba"] == [
        line for role in roles for line in (f"hostssl {role['name'].split('-')[0]} {role['name']} all scram-sha-256",
                                            f"host all,replication {role['name']} all reject")], "its own alone, by TLS, and not as a standby"
    env = {e["name"]: e for e in containers(of(docs, "Deployment", "shop-orders"))[0]["env"]}
    order = list(env)
    assert env["DATABASE_URL"]["value"] == "postgresql://$(DATABASE_USERNAME):$(DATABASE_PASSWORD)@shop-postgres-rw:5432/orders"
    assert (env["PGSSLMODE"]["value"], env["PGSSLROOTCERT"]["value"]) == ("verify-full", "/etc/onsale/postgres/ca.crt")
    job = {e["name"]: e for e in containers(of(docs, "Job", "shop-migrate-orders-1"))[0]["env"]}
    assert job["OWNER_DATABASE_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "onsale-orders-owner" and "PGSSLROOTCERT" in job
    assert order.index("DATABASE_PASSWORD") < order.index("DATABASE_URL"), "only what stands before can be referred to"
    assert env["REPLICATION_DATABASE_URL"]["value"].startswith("postgresql://$(REPLICATION_DATABASE_USERNAME):$(REPLICATION_DATABASE_PASSWORD)@shop-postgres-rw")
    assert env["REPLICATION_DATABASE_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "onsale-orders-replication"
    assert "REPLICATION_DATABASE_URL" not in {e["name"] for e in containers(of(docs, "Deployment", "shop-auth"))[0]["env"]} | job.keys()


def test_nobody_serves_as_the_owner(rendered):
    """Its password is in the migration's pod, and in no other."""
    for doc in rendered["production"]:
        names = {e["name"] for container in containers(doc) for e in container.get("env", [])}
        migrates = "-migrate-" in doc["metadata"]["name"]
        assert ("OWNER_DATABASE_URL" in names) == migrates, key(doc)
        assert ("REPLICATION_DATABASE_URL" in names) == ("DATABASE_URL" in names and not migrates), key(doc)


def test_postgres_is_verified(rendered):
    for name, docs in rendered.items():
        for doc in docs:
            env = {e["name"]: e.get("value") for container in containers(doc) for e in container.get("env", [])}
            if "DATABASE_URL" not in env:
                continue
            mounted = {v["name"]: v["secret"]["secretName"] for v in pod_spec(doc).get("volumes", []) if "secret" in v}
            wanted = {"production": "onsale-postgres-ca", "10x": "onsale-postgres-ca", "operators": "shop-postgres-ca"}.get(name)
            assert env["PGSSLMODE"] == ("prefer" if name == "dev" else "verify-full")
            assert mounted.get("postgres-ca") == wanted
            assert env.get("PGSSLROOTCERT") == ("/etc/onsale/postgres/ca.crt" if wanted else None if name == "dev" else "system"), key(doc)


# --- the registry ---

def test_the_registry_is_told_who_asks(rendered):
    for doc in of(rendered["production"], "Deployment") + of(rendered["production"], "StatefulSet") + of(rendered["production"], "Job"):
        for container in containers(doc):
            env = {e["name"]: e for e in container["env"]}
            assert ("SCHEMA_REGISTRY_URL" in env) == ("SCHEMA_REGISTRY_USER" in env) == ("SCHEMA_REGISTRY_PASSWORD" in env), key(doc)


# --- who may talk to whom ---

def test_only_who_has_to_talk_may(rendered):
    docs = rendered["least"]

    def peers(name):
        return {peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
                for rule in of(docs, "NetworkPolicy", f"shop-{name}")["spec"]["ingress"] for peer in rule["from"] if "podSelector" in peer}
    assert peers("auth") == {"tickets", "orders", "payments", "waiting", "web"}
    assert peers("orders") == {"waiting", "web"}
    assert peers("tickets") == peers("payments") == peers("waiting") == {"web"}
    assert peers("web") == peers("expiration") == peers("sales") == peers("mail") == set()

    def ports(name):
        return {port["port"] for rule in of(docs, "NetworkPolicy", f"shop-{name}")["spec"]["egress"] for port in rule["ports"]}
    assert {name for name in ("auth", "tickets", "orders", "payments", "web", "waiting", "expiration") if 5432 in ports(name)} == {
        "auth", "tickets", "orders", "payments"}
    assert {name for name in ("auth", "web", "sales", "mail") if 587 in ports(name)} == {"mail"}
    assert of(docs, "NetworkPolicy", "shop-jobs")["spec"].get("ingress") is None


def egress(docs, name):
    return of(docs, "NetworkPolicy", f"shop-{name}")["spec"]["egress"]


def test_what_is_not_allowed_is_refused(docs):
    """Every pod of the release, in both directions; and each way out says where to."""
    policies = of(docs, "NetworkPolicy")
    if not policies:
        return
    denies = of(docs, "NetworkPolicy", "shop-deny")["spec"]
    assert denies == {"podSelector": denies["podSelector"], "policyTypes": ["Ingress", "Egress"]}
    for doc in docs:
        if pod_spec(doc):
            labels = pod_labels(doc)
            assert denies["podSelector"]["matchLabels"].items() <= labels.items()
            assert any(p["spec"]["podSelector"]["matchLabels"].items() <= labels.items() for p in policies if p["metadata"]["name"] != "shop-deny")
    for policy in policies:
        assert "Egress" in policy["spec"]["policyTypes"]
        for rule in policy["spec"].get("egress", []):
            assert rule["to"] and rule["ports"], f"{key(policy)} lets out to anywhere"
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"] and rule["ports"], f"{key(policy)} lets anybody in"


def test_operators_pods_are_named(rendered):
    def peers(name, port):
        return [peer["podSelector"]["matchLabels"] for rule in egress(rendered["operators"], name) for peer in rule["to"]
                if port in [p["port"] for p in rule["ports"]] and "podSelector" in peer]
    assert {"strimzi.io/cluster": "shop-kafka"} in peers("orders", 9093) and {"cnpg.io/cluster": "shop-postgres"} in peers("orders", 5432)
    assert {"strimzi.io/cluster": "shop-kafka"} in peers("connect", 9093)
    assert not peers("expiration", 5432)


def test_stripe_is_in_no_private_network(rendered):
    """Whoever got into payments would ask the cloud for its keys."""
    [rule] = [rule for rule in egress(rendered["least"], "payments") if [p["port"] for p in rule["ports"]] == [443]]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(rule["to"][0]["ipBlock"]["except"])
