"""schemas/contracts: the data contracts are those that the schemas make, and are as the standard wants them (its JSON schema and its own model)."""
import importlib.resources
import json
import re
import subprocess
import sys

import jsonschema
import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from support import ROOT, read_yaml
from topics import TOPICS, topic_schema

CONTRACTS = ROOT / "schemas/contracts"
STANDARD = json.loads(importlib.resources.files("open_data_contract_standard").joinpath("schema.json").read_text())


def file(topic):
    return CONTRACTS / f"{topic}.odcs.yaml"


def test_they_are_what_the_schemas_make(tmp_path):
    subprocess.run([sys.executable, ROOT / "tools/contractgen.py", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in CONTRACTS.iterdir()} == made, "run tools/contractgen.py, and read the difference"


def test_there_is_one_a_topic():
    assert {path.name for path in CONTRACTS.iterdir()} == {file(topic).name for topic in TOPICS}


@pytest.mark.parametrize("topic", TOPICS)
def test_it_is_as_the_standard_wants_it(topic):
    contract = read_yaml(file(topic))
    validator = jsonschema.validators.validator_for(STANDARD)(STANDARD)
    assert [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(contract)] == []
    assert OpenDataContractStandard.from_file(str(file(topic))).id == f"onsale.{topic}"
    broken = {**contract, "schema": [{**contract["schema"][0], "properties": [{"name": "x", "logicalType": "uuid"}]}]}
    assert list(validator.iter_errors(broken)), "the standard's schema is read"


@pytest.mark.parametrize("topic", TOPICS)
def test_it_tells_what_is_personal_and_what_is_alone(topic):
    [table] = read_yaml(file(topic))["schema"]
    fields = {field["name"]: field for field in table["properties"]}
    assert list(fields) == [field["name"] for field in topic_schema(topic)["fields"]]
    personal = {"users": ["email"], "letters": ["email"]} | {topic: ["address"] for topic in TOPICS if topic.endswith("audit")}
    assert [name for name, field in fields.items() if field["classification"] == "personal"] == personal.get(topic, [])
    assert topic == "waiting" or any(field.get("primaryKey") for field in fields.values())


def test_the_alerts_that_watch_them_are_there():
    alerts = set(re.findall(r"alert: (\w+)", (ROOT / "monitoring/rules.yaml").read_text()))
    named = set(re.findall(r"\bOnsale[A-Z]\w+", "".join(path.read_text() for path in CONTRACTS.iterdir())))
    assert named and named <= alerts
