"""monitoring/: what operators look at and are woken by. A real Prometheus reads a running stack, evaluates every rule and every panel,
and finds each series that they name."""
import contextlib
import json
import os
import re
import subprocess

import pytest
import requests

from support import DEADLINE, ROOT, free_port, metric_tables, prefix, read_yaml, wait_until

MONITORING = ROOT / "monitoring"
SERVICE = {"http", "db", "publisher"}
REACTING = SERVICE | {"consumer", "group"}
MODULES = {"auth": SERVICE, "tickets": REACTING | {"making", "picture"}, "orders": REACTING | {"teller", "demand"}, "payments": REACTING | {"charge", "stripe"},
           "web": {"http", "live", "teller", "demand"}, "expiration": {"group", "expiration"}, "sales": {"group", "sales"}, "state": {"group", "state"},
           "waiting": {"http", "group", "waiting", "teller", "demand"}, "mail": {"group", "mail"}}
PROCESSES = tuple(MODULES)
ELSEWHERE = {"tls"}  # modules that no process has here: those of test_tls_inside.py have it
RULES = [rule for group in read_yaml(MONITORING / "rules.yaml")["groups"] for rule in group["rules"]]
PANELS = {panel["title"]: [target["expr"] for target in panel["targets"]]
          for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]}
EXPRESSIONS = [rule["expr"] for rule in RULES] + [expr for exprs in PANELS.values() for expr in exprs]
SELECTORS = sorted(set(re.findall(r"(?<![\w:])onsale_\w+(?:\{[^}]*\})?", " ".join(EXPRESSIONS))))


def promtool(*words, text=None):
    done = subprocess.run(["promtool", *map(str, words)], input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_rules_are_well_formed_and_fire_when_they_should():
    assert f"{len(RULES)} rules found" in promtool("check", "rules", MONITORING / "rules.yaml")
    promtool("test", "rules", MONITORING / "rules_test.yaml")


def test_every_recorded_series_that_is_read_is_recorded():
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    assert set(re.findall(r"\bjob:\w+:\w+", " ".join(EXPRESSIONS))) <= recorded


@pytest.mark.parametrize("process", PROCESSES)
def test_metrics_are_as_prometheus_wants_them(stack, process):
    promtool("check", "metrics", text=stack.admin(process, "/metrics").text)


def test_every_metric_is_in_one_table():
    tables = metric_tables()
    assert set(tables) == ELSEWHERE.union(*MODULES.values())
    names = [name for table in tables.values() for name in table]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_has_the_metrics_of_its_modules(stack, process):
    """So that of auth, which runs none of these, says nothing of Stripe, expiration, sales, state, waiting, mail or consumer."""
    tables = metric_tables()
    written = dict(re.findall(r"^# HELP (\w+) (.*)$", stack.admin(process, "/metrics").text, re.M))
    known = {name for table in tables.values() for name in table}
    assert {name: text for name, text in written.items() if name in known} == \
        {name: text for module in MODULES[process] for name, text in tables[module].items()}
    if process == "auth":
        assert [name for name in written if re.search("stripe|expiration|sales|onsale_state|onsale_waiting|onsale_mail|consumer", name)] == []


@pytest.fixture(scope="module")
def prometheus(stack, tmp_path_factory):
    """Asks a Prometheus that has looked at every process a few times."""
    directory, port = tmp_path_factory.mktemp("prometheus"), free_port()
    targets = [{"job_name": name, "static_configs": [{"targets": [stack.env[f"{prefix(name)}_ADMIN_URL"].removeprefix("http://")]}]}
               for name in PROCESSES]
    (directory / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": targets,
        "rule_files": [str(MONITORING / "rules.yaml")]}))
    url = f"http://127.0.0.1:{port}/api/v1"

    def ask(path, **parameters):
        answer = requests.get(f"{url}/{path}", params=parameters, timeout=DEADLINE).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def seen():
        with contextlib.suppress(requests.ConnectionError, ValueError):
            samples = ask("query", query="min(count_over_time(up[1m]))")["result"]
            return len(ask("query", query="up == 1")["result"]) == len(PROCESSES) and float(samples[0]["value"][1]) >= 3
    with open(directory / "log", "w") as log, subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}) as server:
        try:
            wait_until(seen, "Prometheus has seen every process")
            yield ask
        finally:
            server.kill()


@pytest.mark.parametrize("selector", SELECTORS)
def test_every_series_exists(prometheus, selector):
    if re.match(r"\w+", selector)[0] in {name for module in ELSEWHERE for name in metric_tables()[module]}:
        return
    found = prometheus("query", query=f"count(last_over_time({selector}[10m]))")["result"]  # a process without time may be missing for a moment
    assert found, f"there is no {selector}"


def test_every_rule_can_be_evaluated(prometheus):
    def evaluated():
        rules = [rule for group in prometheus("rules")["groups"] for rule in group["rules"]]
        return rules if all(rule["health"] != "unknown" for rule in rules) else None
    rules = wait_until(evaluated, "every rule was evaluated")
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) == len(RULES)


@pytest.mark.parametrize("title", PANELS)
def test_every_panel_can_be_drawn(prometheus, title):
    for expression in PANELS[title]:
        prometheus("query", query=expression)
