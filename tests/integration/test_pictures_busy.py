"""Pictures when there is much to do: who waits for whom, and who does not."""
import concurrent.futures
import contextlib
import socket
import urllib.parse

import psycopg
import pytest
import requests

from shows import make_show, png
from support import DEADLINE, Replica, User, missing_id, wait_until

PICTURE = png()
WAITING, READ = "onsale_tickets_pictures_waiting", "onsale_tickets_pictures_read_total"
# Those that look for pictures to forget may wait as well.
READS_WAIT = """select count(*) from pg_locks join pg_stat_activity using (pid)
                 where not granted and relation = 'show_pictures'::regclass and application_name = 'onsale-tickets-pictures'"""


@contextlib.contextmanager
def threads():
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        yield pool


# --- reading what is there ---

@pytest.fixture
def url(stack, seller):
    show = make_show(seller)
    answer = seller.put(f"/api/shows/{show['id']}/picture", data=png(400, 300), headers={"Content-Type": "image/png"})
    return stack.url + answer.json()["picture"]["sizes"][0]["url"]


def test_a_file_is_read_once_for_all_who_wait_and_nobody_else_waits(stack, seller, url):
    """Files are large: they have a connection of their own, and one answer of the database is for all."""
    show = make_show(seller)
    with Replica(stack, "tickets", STATEMENT_TIMEOUT="4m") as replica, threads() as pool:
        replica.wait_ready()
        before = replica.metric(READ)
        with psycopg.connect(stack.env["TICKETS_DATABASE_URL"]) as other:
            other.execute("lock table show_pictures in access exclusive mode")
            all_of_them = [pool.submit(requests.get, url.replace(stack.url, replica.url), timeout=DEADLINE) for _ in range(20)]
            wait_until(lambda: replica.metric("onsale_http_requests_in_flight") == 20, "all are there")
            wait_until(lambda: stack.sql("tickets", READS_WAIT) == [(1,)], "one statement waits")
            assert at(replica, seller).get(f"/api/shows/{show['id']}").status_code == 200, "others are answered"
        answers = [one.result() for one in all_of_them]
        assert {answer.status_code for answer in answers} == {200} and len({answer.content for answer in answers}) == 1
        assert replica.metric(READ) == before + 1


def test_a_hash_that_is_none_is_no_picture(stack, url):
    for name in ("%00" * 64, "%ff" * 64, "G" * 64):
        assert requests.get(f"{url.rpartition('/')[0]}/{name}-320.webp", timeout=DEADLINE).status_code == 404
    assert requests.get(url.replace(url.split("/")[-3], missing_id()), timeout=DEADLINE).status_code == 404


# --- making new ones ---

@pytest.fixture
def slow(stack, tmp_path):
    """A replica whose program says that it has begun, and waits for a sign."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho >> {tmp_path}/begun\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.02; done\nexit 2\n")
    program.chmod(0o755)
    (tmp_path / "begun").write_text("")
    with Replica(stack, "tickets", PICTURE_PROGRAM=str(program)) as replica:
        yield replica.wait_ready()
        (tmp_path / "go").touch()


def begun(tmp_path):
    return (tmp_path / "begun").read_text().count("\n")


def at(replica, user):
    return User(replica.url, user.headers["Authorization"].removeprefix("Bearer "))


def put(user, show):
    return user.put(f"/api/shows/{show['id']}/picture", data=PICTURE, headers={"Content-Type": "image/png"})


def test_nobody_takes_the_places_of_others(slow, seller, people, tmp_path):
    """One picture of each user waits, the last one."""
    show, other = make_show(seller), next(people)
    others_show = make_show(other)
    with threads() as pool:
        first = pool.submit(put, at(slow, seller), show)
        wait_until(lambda: begun(tmp_path) == 1, "it is being read")
        many = [pool.submit(put, at(slow, seller), show) for _ in range(12)]
        wait_until(lambda: sum(one.done() for one in many) == 11, "all but one are answered")
        last = pool.submit(put, at(slow, other), others_show)
        wait_until(lambda: slow.metric(WAITING) == 2, "that of another user waits, too")
        (tmp_path / "go").touch()
        assert first.result().status_code == last.result().status_code == 400
        assert sorted(one.result().status_code for one in many) == [400] + [503] * 11


def test_what_nobody_waits_for_is_not_read(slow, seller, people, tmp_path):
    other = next(people)
    with threads() as pool:
        first = pool.submit(put, at(slow, seller), make_show(seller))
        wait_until(lambda: begun(tmp_path) == 1, "it is being read")
        where, show, body = urllib.parse.urlsplit(slow.url), make_show(other), png()
        with socket.create_connection((where.hostname, where.port)) as client:
            client.sendall(f"PUT /api/shows/{show['id']}/picture HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
                           f"Authorization: {other.headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            wait_until(lambda: slow.metric(WAITING) == 1, "it waits")
        (tmp_path / "go").touch()
        assert first.result().status_code == 400
        wait_until(lambda: slow.metric(WAITING) == 0, "its turn has come")
        assert put(at(slow, seller), make_show(seller)).status_code == 400
    assert begun(tmp_path) == 2, "that of the client who left was not begun"
