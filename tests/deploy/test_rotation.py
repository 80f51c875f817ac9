"""What helm/onsale/README.md says of database passwords, done under load; and the program that its jobs register schemas by."""
import json
import os
import subprocess
import urllib.parse

import psycopg
import requests

from common import ROOT
from load import Load
from support import DEADLINE, Replica, wait_until

RELEASE = ROOT / "build/release"


def url_of(stack, role):
    """Of the database of tickets, as this role."""
    parts = urllib.parse.urlsplit(stack.env["TICKETS_DATABASE_URL"])
    return parts._replace(netloc=f"{role}:{role}@127.0.0.1:{parts.port}").geturl()


def urls_of(stack, letter):
    """Of both roles that a process has, as logins that change."""
    return {"DATABASE_URL": url_of(stack, f"tickets_{letter}"), "REPLICATION_DATABASE_URL": url_of(stack, f"tickets-replication_{letter}")}


def administer(stack, script):
    with psycopg.connect(stack.env["TICKETS_POSTGRES_URL"], autocommit=True) as connection:
        connection.execute(script)


def connected(stack, role, service="tickets"):
    with psycopg.connect(stack.env[f"{service.upper()}_POSTGRES_URL"], autocommit=True) as connection:
        return connection.execute("select count(*) from pg_stat_activity where usename = %s", [role]).fetchone()[0]


NEW_ROLE = "create role {0} login password '{0}' in role tickets; alter role {0} set role tickets"
NEW_REPLICATOR = """create role "{0}" login replication password '{0}' in role "tickets-replication"; alter role "{0}" set role "tickets-replication\""""


def test_database_passwords_change_under_load(stack):
    """The second roles' process takes over from the first ones': no request fails, no event is lost or doubled, the first roles can go."""
    administer(stack, NEW_ROLE.format("tickets_a") + ";" + NEW_REPLICATOR.format("tickets-replication_a"))
    old = Replica(stack, "tickets", DRAIN_DELAY="1s", **urls_of(stack, "a"))
    new = Replica(stack, "tickets", **urls_of(stack, "b"))
    stack.supervisor("stop", "tickets")
    administer(stack, 'alter role tickets nologin; alter role "tickets-replication" nologin')  # what serves lets nobody in by itself
    with old:
        old.wait_ready()
        with Load([old.url], stack.tokens(4)) as load:
            wait_until(lambda: len(load.listed) > 20, "tickets are being listed")
            administer(stack, NEW_ROLE.format("tickets_b") + ";" + NEW_REPLICATOR.format("tickets-replication_b"))
            done = subprocess.run([RELEASE / "tickets", "migrate"], env={
                "DATABASE_URL": url_of(stack, "tickets_b"), "OWNER_DATABASE_URL": stack.env["TICKETS_OWNER_DATABASE_URL"]})
            assert done.returncode == 0, "the job of an upgrade comes as the new role"
            with new:
                new.wait_ready()
                load.endpoints = [old.url, new.url]
                listed = len(load.listed)
                wait_until(lambda: len(load.listed) > listed + 20, "both serve")
                load.endpoints = [new.url]
                assert old.terminate() == 0
                listed = len(load.listed)
                wait_until(lambda: len(load.listed) > listed + 20, "the new one serves alone")
                wait_until(lambda: connected(stack, "tickets_a") + connected(stack, "tickets-replication_a") == 0, "nobody is connected as the old roles")
                administer(stack, 'drop role tickets_a; drop role "tickets-replication_a"')
                listed = len(load.listed)
                wait_until(lambda: len(load.listed) > listed + 20, "and goes on")
                load.stop()
                assert load.failures == []
                load.assert_told(stack)


def test_connections_are_as_many_as_architecture_says(stack):
    """Of a process with one thread; those that publish and react have opened theirs by the time they are ready."""
    for service, count in {"auth": 4, "orders": 5, "payments": 6}.items():
        def found():
            return connected(stack, service, service), connected(stack, f"{service}-replication", service)
        wait_until(lambda: found() == (count - 1, 1), f"{service} has {count} connections, one of them to replicate, not {found()}")


# --- schemas ---

def schemas(url):
    return subprocess.run([RELEASE / "schemas"], env={"SCHEMA_REGISTRY_URL": url}, text=True, capture_output=True)


def test_schemas_are_registered_again_and_again(stack):
    """With the ids that publishers have already."""
    first, second = schemas(stack.env["SCHEMA_REGISTRY_URL"]), schemas(stack.env["SCHEMA_REGISTRY_URL"])
    assert first.returncode == second.returncode == 0 and first.stdout == second.stdout
    ids = dict(line.split(" has id ") for line in first.stdout.splitlines())
    topics = json.loads((ROOT / "schemas/avro/topics.json").read_text())["topics"]
    assert ids.keys() == {f"{topic['name']}-value" for topic in topics if "schema" in topic}
    for subject, number in ids.items():
        latest = requests.get(f"{stack.env['SCHEMA_REGISTRY_URL']}/subjects/{subject}/versions/latest", timeout=DEADLINE).json()
        assert (latest["id"], latest["version"]) == (int(number), 1)


def test_a_schema_that_is_refused_ends_it(stack):
    """A topic whose readers ours would break: the job fails, and names it."""
    registry, subject = stack.env["SCHEMA_REGISTRY_URL"], "orders-value"
    latest = requests.get(f"{registry}/subjects/{subject}/versions/latest", timeout=DEADLINE).json()
    schema = json.loads(latest["schema"])
    schema["fields"].append({"name": "later", "type": "string", "default": ""})
    for field in schema["fields"]:
        if field["name"] == "title":
            field["type"] = ["null", "string"]
    requests.put(f"{registry}/config/{subject}", json={"compatibility": "NONE"}, timeout=DEADLINE).raise_for_status()
    answer = requests.post(f"{registry}/subjects/{subject}/versions", json={"schema": json.dumps(schema)}, timeout=DEADLINE)
    answer.raise_for_status()
    version = requests.get(f"{registry}/subjects/{subject}/versions/latest", timeout=DEADLINE).json()["version"]
    try:
        requests.delete(f"{registry}/subjects/{subject}/versions/{latest['version']}", timeout=DEADLINE).raise_for_status()
        done = schemas(registry)
        assert done.returncode == os.EX_CONFIG and "orders-value: " in done.stderr, done.stderr
    finally:
        requests.delete(f"{registry}/subjects/{subject}/versions/{version}", timeout=DEADLINE)
