"""What the custom resources are that the chart makes, as those say who read them."""
import yaml

import fetch
import gotools


def crds():
    for file in sorted((*gotools.crds().glob("*.yaml"), *fetch.strimzi().glob("*.yaml"))):
        yield from filter(None, yaml.safe_load_all(file.read_text()))
