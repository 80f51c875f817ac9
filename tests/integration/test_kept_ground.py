"""Stacks that stand on the same servers, one after the other (kept_ground.py): the next one finds nothing of the one before, and nobody stands on
what is not as it should be."""
import json
import os
import subprocess
import urllib.request

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from kept_ground import KEPT, Ground
from support import FRUGAL, stacks
from topics import TOPICS

pytestmark = pytest.mark.alone


def registry(stack, path):
    with urllib.request.urlopen(stack.env["SCHEMA_REGISTRY_URL"] + path) as answer:
        return json.load(answer)


def kafka(stack):
    return AdminClient({"bootstrap.servers": stack.env["KAFKA_BROKERS"]})


def use(stack):
    """Something of everything that a stack keeps."""
    ticket = stack.user().list_ticket()
    assert stack.topic("tickets").of(ticket["id"], 1)
    topic = stack.topic("left")
    admin = kafka(stack)
    admin.create_topics([NewTopic("left", 2, 1)])["left"].result()
    topic.produce_raw(("a", b"b"))
    body = json.dumps({"schema": json.dumps({"type": "record", "name": "Left", "fields": []})}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{stack.env['SCHEMA_REGISTRY_URL']}/subjects/left-value/versions", body,
                                                  {"Content-Type": "application/vnd.schemaregistry.v1+json"})).close()
    with psycopg.connect(stack.env["POSTGRES_URL"], autocommit=True) as server:
        server.execute("create role left_role replication login")
        server.execute("select pg_create_logical_replication_slot('left_slot', 'pgoutput')")
        server.execute("create database left_base owner left_role")
    (stack.state / "left.log").write_text("left")
    assert stack.logs("tickets").strip() and "left-value" in registry(stack, "/subjects")


def is_empty(stack):
    described = kafka(stack).list_topics(timeout=20)
    assert set(TOPICS) <= described.topics.keys() and "left" not in described.topics
    quiet = TOPICS.keys() - {"watermarks", "load"}  # of nothing, too
    assert {name: found for name in quiet if (found := stack.topic(name).records())} == {}, "ends count those of transactions, too"
    assert stack.sql("tickets", "select count(*) from ticket_events") == [(0,)]
    with psycopg.connect(stack.env["POSTGRES_URL"], autocommit=True) as server:
        assert server.execute("select count(*) from pg_replication_slots where slot_name = 'left_slot'").fetchall() == [(0,)]
        assert server.execute("select count(*) from pg_roles where rolname = 'left_role'").fetchall() == [(0,)]
        assert server.execute("select count(*) from pg_database where datname = 'left_base'").fetchall() == [(0,)]
    assert "left-value" not in registry(stack, "/subjects")
    assert not (stack.state / "left.log").exists()
    return described.cluster_id


def test_the_next_one_finds_nothing(kept_ground):
    """Settings do not last, either; ids of schemas begin anew."""
    with stacks(ground=kept_ground, **FRUGAL) as make:
        before = make(HOLD_SECONDS="7")
        cluster, servers, session_key = is_empty(before), {name: before.pid(name) for name in KEPT}, before.tokens(1)
        first_id = registry(before, "/subjects/tickets-value/versions/latest")["id"]
        use(before)
    with stacks(ground=kept_ground, **FRUGAL) as make:
        stack = make()
        assert stack.state == before.state and {name: stack.pid(name) for name in KEPT} == servers, "the same processes"
        assert is_empty(stack) != cluster, "another cluster"
        assert first_id <= len(TOPICS) and 1 <= registry(stack, "/subjects/tickets-value/versions/latest")["id"] <= len(TOPICS)
        with open(f"/proc/{stack.pid('orders')}/environ") as environment:
            assert "HOLD_SECONDS" not in environment.read()
        assert stack.user().get("/api/users/currentuser", headers={"Authorization": f"Bearer {session_key[0]}"}).json() == {"currentUser": None}
        use(stack)


def test_what_is_not_as_it_should_be_is_not_used_again(kept_ground, monkeypatch, capsys):
    monkeypatch.setattr("kept_ground.SOON", 1)
    with stacks(ground=kept_ground, **FRUGAL) as make:
        stack = make()
        monkeypatch.setattr(Ground, "failures", Ground.failures + 1)
        assert not kept_ground.keep(stack.state), "a test failed"
        monkeypatch.setattr(Ground, "failures", Ground.failures - 1)
        with subprocess.Popen(["sleep", "1000"], env={**os.environ, "KEYS": f"{stack.state}/keys"}) as forgotten:
            assert not kept_ground.keep(stack.state)
            forgotten.kill()
        assert "everybody else has ended" in capsys.readouterr().err
        with psycopg.connect(stack.env["POSTGRES_URL"], autocommit=True) as server:
            server.execute("alter system set work_mem = '5MB'")
            assert not kept_ground.keep(stack.state)
            server.execute("alter system reset all")
        assert "work_mem" in capsys.readouterr().err
        stack.supervisor("stop", "registry")
        assert not kept_ground.keep(stack.state)
        stack.supervisor("start", "registry")
        assert "a server does not run" in capsys.readouterr().err and kept_ground.state is None
        monkeypatch.undo()
    assert kept_ground.state == stack.state, "now it is"
