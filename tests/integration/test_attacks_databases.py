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
