"""Attacks by whoever has one service's database password: it opens that database, and no other."""
import itertools
from urllib.parse import urlsplit

import psycopg
import pytest

SERVICES = ("auth", "tickets", "orders", "payments")


def url(stack, service):
    return urlsplit(stack.env[f"{service.upper()}_DATABASE_URL"])


@pytest.mark.parametrize("thief, owner", list(itertools.permutations(SERVICES, 2)))
def test_one_services_password_opens_anothers_database(stack, thief, owner):
    """By the thief's name, at the owner's server, whichever that is."""
    own, other = url(stack, thief), url(stack, owner)
    there = other._replace(netloc=f"{own.username}:{own.password}@{other.hostname}:{other.port}").geturl()
    with pytest.raises(psycopg.OperationalError, match=r"permission denied for database|does not exist|authentication failed"):
        psycopg.connect(there, connect_timeout=10)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("statement", ["select rolpassword from pg_authid", "create role thief superuser", "copy (select 1) to program 'id'",
                                       "alter system set wal_level = minimal"])
def test_a_services_role_rules_the_server(stack, service, statement):
    with psycopg.connect(url(stack, service).geturl(), autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


# --- a role that serves, and one that owns ---

def owner(stack, service):
    return urlsplit(stack.env[f"{service.upper()}_OWNER_DATABASE_URL"])


LOGS = {"auth": "user_events", "tickets": "ticket_events", "orders": "order_events", "payments": "payment_events"}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("statement", [
    "create table mine (n int)", "create temporary table mine (n int)", "create schema mine", "create function mine() returns int language sql as 'select 1'",
    "drop table {log}", "truncate {log}", "alter table {log} disable trigger all", "create index on {log} (id)",
    "alter publication onsale_events drop table {log}", "drop publication onsale_events",
    "delete from migrations", "update functions set checksum = ''", "alter database {service} owner to {service}",
    "create or replace function next_version(version int) returns int language sql as 'select 1'", 'set role "{service}-owner"'])
def test_who_serves_changes_no_table(stack, service, statement):
    with psycopg.connect(url(stack, service).geturl(), autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(log=LOGS[service], service=service))


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_has_no_password_of_the_owner(stack, service):
    """And is not him."""
    with open(f"/proc/{stack.pid(service)}/environ") as file:
        assert "OWNER_DATABASE_URL" not in file.read()
    assert stack.sql(service, "select distinct usename::text from pg_stat_activity where application_name like 'onsale-%%'") == [(service,)]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("statement", ["select pg_create_logical_replication_slot('mine', 'pgoutput')", "select rolpassword from pg_authid",
                                       "create role thief superuser", "alter role current_user replication", "copy (select 1) to program 'id'"])
def test_who_migrates_neither_replicates_nor_rules(stack, service, statement):
    with psycopg.connect(owner(stack, service).geturl(), autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("service", SERVICES)
def test_the_owners_password_opens_his_database_alone(stack, service):
    """At any server; on this machine each service has its own."""
    others = [other for other in SERVICES if other != service]
    for other in others:
        there, own = owner(stack, other), owner(stack, service)
        with pytest.raises(psycopg.OperationalError, match=r"permission denied for database|does not exist|authentication failed"):
            psycopg.connect(there._replace(netloc=f"{own.username}:{own.password}@{there.hostname}:{there.port}").geturl(), connect_timeout=10)
