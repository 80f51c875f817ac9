"""kubeconform, with the schemas of this very Kubernetes and of the custom resources, made of their own descriptions; what these do
not know is refused."""
import json
import subprocess

import gotools
from crds import crds
from support import yaml_of


class Conform:
    def __init__(self, directory):
        self.directory = directory
        self._kubernetes()
        for crd in crds():
            for version in crd["spec"]["versions"]:
                schema = _strict(version["schema"]["openAPIV3Schema"])
                schema["properties"] = {"apiVersion": {}, "kind": {}, "metadata": {}} | schema["properties"] | {"metadata": {"type": "object"}}
                self._write(crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"], schema)

    def _kubernetes(self):
        text = (gotools.directory() / "kubernetes.json").read_text().replace('"#/definitions/', '"_definitions.json#/definitions/')
        definitions = json.loads(text)["definitions"]
        for name, definition in definitions.items():
            if definition.get("format") == "int-or-string":
                definitions[name] = {"type": ["integer", "string"]}
            elif name.endswith("resource.Quantity"):
                definitions[name] = {"type": ["string", "number"]}
            elif "properties" in definition:
                definition.setdefault("additionalProperties", False)
            for kind in definition.get("x-kubernetes-group-version-kind", []):
                self._write(kind["group"], kind["version"], kind["kind"], {"$ref": f"_definitions.json#/definitions/{name}"})
        (self.directory / "_definitions.json").write_text(json.dumps({"definitions": definitions}))

    def _write(self, group, version, kind, schema):
        (self.directory / f"{kind.lower()}-{group or version}-{version}.json").write_text(json.dumps(schema))

    def check(self, docs):
        """A line each that is wrong."""
        location = f"{self.directory}/{{{{ .ResourceKind }}}}-{{{{ .Group }}}}-{{{{ .ResourceAPIVersion }}}}.json"
        done = subprocess.run([gotools.program("kubeconform"), "-output", "json", "-schema-location", location, "-"],
                              input=yaml_of(docs), text=True, stdout=subprocess.PIPE)
        return [f"{r['kind']} {r['name']}: {r['msg']}" for r in json.loads(done.stdout).get("resources") or []]


def _strict(schema):
    """The same, refusing what it does not name."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(part) for name, part in schema.items()}
    if made.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    if made.get("type") == "object" and isinstance(made.get("properties"), dict) and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made
