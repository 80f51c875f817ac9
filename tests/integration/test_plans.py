"""The plans of the statements that read tickets: each goes by the index that was made for it.

Planned in a database of their own with the service's migrations and with the settings of its sessions, over rows that are the same
each time, all of which ANALYZE reads: so a plan changes only when a statement, an index or a setting does."""
import json
import uuid

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from planning import settings_of_the_service
from support import ROOT

TICKETS = ROOT / "services" / "tickets"
ROWS = """
insert into tickets (id, version, user_id, title, price, currency, status, date, venue, city)
select ('018f0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1,
       ('018f0000-0000-7000-9000-' || lpad(to_hex(n %% %(sellers)s), 12, '0'))::uuid, md5(n::text) || ' live', 2000, 'USD',
       case when n %% 4 = 0 then 'cancelled' else 'available' end,
       case when n %% 2 = 0 then current_date + n %% 500 end, case when n %% 2 = 0 then 'Hall ' || n %% 300 end,
       case when n %% 3 = 0 then 'City ' || n %% 200 end
  from generate_series(1, 20000) n"""

# 3,000 shows of an area of 4 rows each; the tickets of 5,000 places.
SHOWS = """
with show as (
    insert into shows (id, version, user_id, title, venue, city, starts_at, time_zone, currency, decimals, per_user, status)
    select place_id('018f0000-0000-7000-a000-000000000000', n), 1, ('018f0000-0000-7000-9000-' || lpad(to_hex(n % 200), 12, '0'))::uuid,
           md5(n::text), 'Hall', 'Bern',
           now() + n * interval '1 hour', 'UTC', 'USD', 2, 8, case when n % 4 = 0 then 'draft' else 'announced' end
      from generate_series(1, 3000) n
    returning *
), area as (
    insert into areas (id, show_id, user_id, name, price, seated, accessible, rank, blocks, places, blocks_made, made)
    select place_id(overlay(id::text placing right(id::text, 6) from 25)::uuid, 0), id, user_id, 'a', 1, false, false, 0, 4, 240, 4, 240 from show
    returning *
)
insert into seat_rows (id, area_id, places, free)
select place_id(a.id, b * 64), a.id, 60, (1::bigint << 60) - 1 from area a cross join generate_series(0, 3) b"""
SALES = """
insert into show_sales (show_id, minute, area_id, part, version, placed, sold, returned, revenue)
select a.show_id, now() + n * interval '1 min', a.id, 0, 1, 1, 0, 0, 0
  from (select * from areas order by id limit 100) a cross join generate_series(0, 99) n"""
PLACES = """
insert into tickets (id, version, user_id, title, price, currency, status, show_id, area_id, area_name, rank, accessible)
select place_id(a.id, n), 1, a.user_id, 'live', 1, 'USD', 'available', a.show_id, a.id, a.name, 0, false
  from (select * from areas order by id limit 100) a cross join generate_series(0, 49) n"""


@pytest.fixture(scope="module")
def session(stack):
    """A session as the service has it, in a database with its tables and 20,000 tickets."""
    admin, name = stack.env["POSTGRES_URL"], f"plans_{uuid.uuid4().hex}"
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute(f"create database {name}")
        try:
            with psycopg.connect(make_conninfo(admin, dbname=name), autocommit=True) as connection:
                for file in [*sorted((TICKETS / "migrations").glob("*.sql")), *sorted((TICKETS / "functions").glob("*.sql")),
                             ROOT / "common/publisher/functions/next_version.sql"]:
                    connection.execute(file.read_text())
                connection.prepare_threshold = None  # plan() forgets all that is prepared
                connection.execute(ROWS, {"sellers": 200})
                connection.execute(SHOWS)
                connection.execute(PLACES)
                connection.execute(SALES)
                connection.execute("vacuum analyze")  # also sorts into the title index what it still holds unsorted
                for setting, value in settings_of_the_service().items():
                    connection.execute("select set_config(%s, %s, false)", (setting, value))
                yield connection
        finally:
            server.execute(f"drop database {name} with (force)")


def nodes(plan):
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def plan(session, statement, arguments, options="format json"):
    session.execute("deallocate all")
    session.execute(f"prepare s as {(TICKETS / 'sql' / f'{statement}.sql').read_text()}")
    [[found]] = session.execute(f"explain ({options}) execute s({arguments})").fetchall()
    return list(nodes((found if isinstance(found, list) else json.loads(found))[0]["Plan"]))


NEWEST = "array['ffffffff-ffff-ffff-ffff-ffffffffffff']::uuid[], array[21]"
SOMEBODY = "array['018f0000-0000-7000-9000-000000000001']::uuid[]"


@pytest.mark.parametrize("statement, arguments, index", [
    ("list_tickets", NEWEST, "tickets_on_sale"),
    ("find_tickets", f"array[null]::uuid[], array[21], array[null]::text[], array['Bern'], {', '.join(['array[null]::text[]'] * 2)}",
     "tickets_pkey tickets_by_date tickets_by_city"),
    ("list_own_tickets", f"{NEWEST}, array[null]::text[], {SOMEBODY}", "tickets_by_seller"),
    ("get_ticket", f"array['018f0000-0000-7000-8000-000000000001']::uuid[], {SOMEBODY}", "tickets_pkey sales_pkey shows_pkey"),
    ("list_shows", f"array[null]::uuid[], array[21], array[null]::text[], array[null]::text[], {', '.join(['array[null]::timestamptz[]'] * 4)}",
     "shows_by_date shows_pkey areas_by_show seat_rows_by_area"),
    ("list_own_shows", f"{NEWEST}, {SOMEBODY}", "shows_by_seller areas_by_show seat_rows_by_area"),
    ("get_show", f"array['018f0000-0000-7000-a000-000000000001']::uuid[], {SOMEBODY}", "shows_pkey areas_by_show seat_rows_by_area"),
    ("get_sales", f"array['018f0000-0000-7000-a000-000000000001']::uuid[], {SOMEBODY}, array[null]::text[], array[100], array[true]",
     "shows_pkey areas_by_show show_sales_pkey"),
    ("background/get_picture", "array['018f0000-0000-7000-a000-000000000001']::uuid[], array['0'], array[320]", "show_pictures_pkey former_pictures_pkey"),
    ("background/forget_pictures", "array[64]",
     "shows_with_pictures shows_pkey show_pictures_pkey former_pictures_by_time former_pictures_pkey picture_days_by_day"),
    ("begin_picture", f"array['018f0000-0000-7000-a000-000000000001']::uuid[], {SOMEBODY}, array[9]", "shows_pkey"),
    ("get_seats", f"array['018f0000-0000-7000-a000-000000000001']::uuid[], array['018f0000-0000-7000-0000-010000000000']::uuid[], {SOMEBODY}",
     "areas_by_show shows_pkey seat_rows_by_area"),
    ("background/make_places", "array[64]", "areas_to_make shows_pkey area_rows_pkey areas_pkey"),
    ("background/withdraw_places", "array[64]", "areas_to_withdraw tickets_pkey seat_rows_pkey areas_pkey")])
def test_it_goes_by_its_index(session, statement, arguments, index):
    found = plan(session, statement, arguments)
    assert {n["Index Name"] for n in found if "Index Name" in n} == set(index.split())
    assert not [n for n in found if n["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("city, pattern, most", [("null", "null", 100), ("null", "'%zq%'", 10000), ("'city 3'", "null", 100), ("'no such'", "null", 100),
                                                ("null", "'%hall 7%'", 10000)])
def test_a_list_by_date_does_not_read_all_there_is(session, city, pattern, most):
    found = plan(session, "find_tickets", f"array[null]::uuid[], array[21], array[{pattern}], array[{city}], array[null]::text[], array[null]::text[]",
                 "analyze, format json")
    assert sum(n["Actual Rows"] * n["Actual Loops"] for n in found if n.get("Relation Name") == "tickets") <= most


def test_a_search_compares_titles_in_the_index(session):
    """Not row by row while walking the index, which takes forever for a rare word."""
    [scan] = [n for n in plan(session, "search_tickets", f"{NEWEST}, array['%abc%']") if n.get("Index Name") == "tickets_by_title"]
    assert "~~*" in scan["Index Cond"]


@pytest.mark.parametrize("words, most", [("!!!", 10000), ("zq", 10000), ("“…”", 10000), ("live", 21), ("no such words", 10100)])
def test_a_search_does_not_read_all_there_is(session, words, most):
    """15,000 tickets are on sale: whoever asks for what is rare, or is in every title, must not keep the others waiting."""
    found = plan(session, "search_tickets", f"{NEWEST}, array['%{words}%']", "analyze, format json")
    assert sum(n["Actual Rows"] * n["Actual Loops"] + n.get("Rows Removed by Index Recheck", 0) for n in found
               if n.get("Relation Name") == "tickets") <= most
