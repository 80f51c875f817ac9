"""A version of payments that changes a function of the database comes and goes, while payments serves: `migrate` of the newer version
applies it to a database that has charges, `migrate` of the version before puts its own back."""
import os
import shutil
import subprocess

import pytest

from support import DEADLINE, ROOT, list_ticket, wait_until

DRIVER = ROOT / "build/release/tests/migrate_driver"
PAYMENTS = ROOT / "services/payments"


def migrate(stack, *command):
    roles = {name: stack.env[f"PAYMENTS_{name}"] for name in ("DATABASE_URL", "OWNER_DATABASE_URL")}
    done = subprocess.run(command, env={**os.environ, **roles}, text=True, timeout=DEADLINE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


@pytest.fixture
def roll_back(stack):
    """`migrate` of the version that serves; at the end as well, when the newer one's table goes, too."""
    program = os.readlink(f"/proc/{stack.pid('payments')}/exe").removesuffix(" (deleted)")

    def run():
        assert migrate(stack, program, "migrate")[0] == 0
    yield run
    run()
    stack.sql("payments", "drop table if exists rolled")
    stack.sql("payments", "delete from migrations where name = '900_rolled'")


@pytest.fixture
def newer(tmp_path):
    """The files of a version that notes, in a table of its own, each charge that an answer or a webhook of Stripe is about."""
    for folder in ("migrations", "functions"):
        shutil.copytree(PAYMENTS / folder, tmp_path / folder)
    (tmp_path / "migrations/900_rolled.sql").write_text("create table rolled (order_id uuid, state text);")
    change(tmp_path, "write_charges", "    return query\n",
           "    insert into rolled select c.order_id, c.state from charges c where c.order_id = any (order_ids);\n    return query\n")
    return tmp_path


def change(version, function, old, new):
    path = version / "functions" / f"{function}.sql"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def pay(stack, seller, buyer):
    order = buyer.place(list_ticket(stack, seller))
    wait_until(lambda: stack.sql("payments", "select 1 from charges where order_id = %s", order["id"]), "payments knows the order")
    answer = buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"})
    assert answer.status_code == 201, answer.text
    return order["id"]


def noted(stack, order):
    return stack.sql("payments", "select distinct state from rolled where order_id = %s", order)


def charge(stack, order):
    return stack.sql("payments", "select id, state, version from charges where order_id = %s", order)


def test_a_changed_function_comes_and_goes(stack, seller, buyer, newer, roll_back):
    before = pay(stack, seller, buyer)
    kept = charge(stack, before)
    code, said = migrate(stack, DRIVER, newer)
    assert code == 0, said
    assert "applied 900_rolled" in said and "applied functions: write_charges" in said
    during = pay(stack, seller, buyer)
    assert noted(stack, during) == [("succeeded",)]
    roll_back()
    after = pay(stack, seller, buyer)
    assert noted(stack, after) == []
    assert charge(stack, before) == kept
    assert migrate(stack, DRIVER, newer)[0] == 0
    assert noted(stack, pay(stack, seller, buyer)) == [("succeeded",)]


def test_a_broken_function_leaves_the_version_before(stack, seller, buyer, newer, roll_back):
    change(newer, "write_webhooks", "return query select generate_series", "return querry select generate_series")
    code, said = migrate(stack, DRIVER, newer)
    assert code == 1 and "functions/write_webhooks.sql" in said and "querry" in said
    order = pay(stack, seller, buyer)
    assert noted(stack, order) == []
