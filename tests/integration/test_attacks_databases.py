"""Attacks by whoever has one of a service's database passwords: it opens that database, and no other, and does there what its role is for."""
import itertools
from urllib.parse import urlsplit

import psycopg
import pytest

from waits import DEADLINE, wait_until

SERVICES = ("auth", "tickets", "orders", "payments")


def url(stack, service):
    return urlsplit(stack.env[f"{service.upper()}_DATABASE_URL"])


@pytest.mark.parametrize("thief, owner", list(itertools.permutations(SERVICES, 2)))
def test_one_services_password_opens_anothers_database(stack, thief, owner):
    """By the thief's name, at the owner's server, whichever that is."""
    own, other = url(stack, thief), url(stack, owner)
    there = other._replace(netloc=f"{own.username}:{own.password}@{other.hostname}:{other.port}").geturl()
    with pytest.raises(psycopg.OperationalError, match=r"permission denied for database|does not exist|authentication failed"):
        psycopg.connect(there, connect_timeout=int(DEADLINE))


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
    connected = "select distinct usename::text from pg_stat_activity where application_name like 'onsale-%%' order by 1"
    names = wait_until(lambda: len(found := stack.sql(service, connected)) > 1 and found, "it is connected, its publisher too")
    assert names == [(service,), (f"{service}-replication",)]


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
            psycopg.connect(there._replace(netloc=f"{own.username}:{own.password}@{there.hostname}:{there.port}").geturl(), connect_timeout=int(DEADLINE))


# --- a role that replicates ---

def replicating(stack, service):
    return urlsplit(stack.env[f"{service.upper()}_REPLICATION_DATABASE_URL"])


def slot(stack, service):
    """A publisher that stood still comes back to it."""
    active = "select slot_name::text from pg_replication_slots where active and database = current_database()"
    [[name]] = wait_until(lambda: stack.sql(service, active), "the slot is in use")
    return name


@pytest.mark.parametrize("service", SERVICES)
def test_one_role_replicates(stack, service):
    """And does nothing else: what a process asks of tables, it asks as the role that serves."""
    by = "select application_name from pg_stat_activity where usename = %s"
    assert wait_until(lambda: stack.sql(service, by, f"{service}-replication"), "the publisher is connected") == [("onsale-publisher-stream",)]
    assert stack.sql(service, "select rolname::text from pg_roles where rolreplication and not rolsuper") == [(f"{service}-replication",)]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("statement", [
    "select pg_create_logical_replication_slot('mine', 'pgoutput')", "select pg_create_physical_replication_slot('mine')",
    "select pg_logical_slot_peek_changes('{slot}', null, null)", "select pg_drop_replication_slot('{slot}')",
    "select pg_replication_slot_advance('{slot}', pg_current_wal_lsn())",
    "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '{slot}'", 'set role "{service}-replication"'])
def test_who_serves_replicates_nothing(stack, service, statement):
    with psycopg.connect(url(stack, service).geturl(), autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(slot=slot(stack, service), service=service))


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("role", [url, owner])
@pytest.mark.parametrize("kind", ["database", "true"])
def test_only_one_role_opens_a_connection_for_replication(stack, service, role, kind):
    with pytest.raises(psycopg.OperationalError, match=r"must be superuser or replication role|permission denied to start WAL sender|rejects replication"):
        psycopg.connect(role(stack, service).geturl(), replication=kind, autocommit=True)


TABLES = {"auth": "users", "tickets": "tickets", "orders": "orders", "payments": "charges"}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("statement", [
    "select * from {table}", "select * from {log}", "select * from publisher_epoch", "insert into {log} default values", "delete from {log}",
    "truncate {log}", "copy {table} to stdout", "create table mine (n int)", "create temporary table mine (n int)", "create schema mine",
    "create publication mine for all tables", "create publication mine for table {table}", "alter publication onsale_events add table {table}",
    "select publish_table('{table}')", "select publish_tables('{{{table}}}')", 'set role "{service}"', 'set role "{service}-owner"',
    "alter role current_user superuser", "select rolpassword from pg_authid", "alter system set wal_level = minimal"])
def test_who_replicates_reads_no_table(stack, service, statement):
    with psycopg.connect(replicating(stack, service).geturl(), autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(log=LOGS[service], table=TABLES[service], service=service))


@pytest.mark.parametrize("service", SERVICES)
def test_who_replicates_copies_no_server(stack, service):
    """A connection of a standby, by which one has all databases, is refused by pg_hba.conf; one of its own database is what it is for."""
    with pytest.raises(psycopg.OperationalError, match="rejects replication connection"):
        psycopg.connect(replicating(stack, service).geturl(), replication="true", autocommit=True)
    start = f"START_REPLICATION SLOT {slot(stack, service)} LOGICAL 0/0 (proto_version '1', publication_names 'onsale_events')"
    with (psycopg.connect(replicating(stack, service).geturl(), replication="database", autocommit=True) as connection,
          pytest.raises(psycopg.errors.ObjectInUse, match="is active")):
        connection.execute(start)


@pytest.mark.parametrize("service", SERVICES)
def test_who_replicates_opens_his_database_alone(stack, service):
    """Beside it are others on the same server, which is so on this machine for none of ours: one is made."""
    own, server = replicating(stack, service), urlsplit(stack.env[f"{service.upper()}_POSTGRES_URL"])
    with psycopg.connect(server.geturl(), autocommit=True) as connection:
        connection.execute("create database beside")
        try:
            connection.execute("revoke connect on database beside from public")
            for kind in ("false", "database"):
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    psycopg.connect(own._replace(path="/beside").geturl(), replication=kind, connect_timeout=int(DEADLINE))
        finally:
            connection.execute("drop database beside with (force)")
    for other in SERVICES:
        if other == service:
            continue
        there = replicating(stack, other)
        with pytest.raises(psycopg.OperationalError, match=r"permission denied for database|does not exist|authentication failed"):
            psycopg.connect(there._replace(netloc=f"{own.username}:{own.password}@{there.hostname}:{there.port}").geturl(), connect_timeout=int(DEADLINE))
