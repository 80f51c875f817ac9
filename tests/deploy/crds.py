"""What the custom resources are that the chart makes, as those say who read them."""
import fetch
import gotools
from support import yaml_documents


def crds():
    for file in sorted((*gotools.crds().glob("*.yaml"), *gotools.more_crds().glob("*.yaml"), *fetch.strimzi().glob("*.yaml"))):
        yield from yaml_documents(file.read_text())
