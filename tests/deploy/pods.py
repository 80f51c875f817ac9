"""The rendered chart's pods on this machine, by `podman play kube`, beside a stack's Kafka, Postgres and registry. There is no network of pods
here: each has the host's, with ports of its own, which are settings like any other. What podman's version of a pod has not (Secrets,
probes, preStop) is filled in or left out; what it runs otherwise is what Kubernetes would: image, command, user, capabilities, read-only files."""
import copy
import json
import pathlib
import shutil

import requests
import yaml

from chart import LEAST, containers, of, render
from images import IMAGE
from support import free_port, wait_until

SERVICES = ("auth", "tickets", "orders", "payments", "web", "waiting")
STREAMS = ("expiration", "mail", "sales", "state")
COMPONENTS = SERVICES + STREAMS
TO_LEAVE = {"livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports"}


def secrets_of(stack):
    """{secret: {key: value}}, as the chart's values name them."""
    secrets = {name: {key: stack.env[f"{name.upper()}_{key}"] for key in ("DATABASE_URL", "OWNER_DATABASE_URL", "REPLICATION_DATABASE_URL")}
               for name in ("auth", "tickets", "orders", "payments")}
    secrets["payments"] |= {"STRIPE_SECRET_KEY": stack.env["STRIPE_SANDBOX_KEY"], "STRIPE_WEBHOOK_SECRETS": stack.env["STRIPE_SANDBOX_WEBHOOK_SECRET"]}
    return secrets


def values_for(stack):
    """The ports that the stack's own services had, so that its edge leads to the pods."""
    ports = json.loads((stack.state / "stack.json").read_text())["ports"]
    urls = {name: f"http://127.0.0.1:{ports[name]}" for name in ("auth", "tickets", "orders", "payments", "waiting")}
    apis = {"USERS_API": urls["auth"], "TICKETS_API": urls["tickets"], "ORDERS_API": urls["orders"], "PAYMENTS_API": urls["payments"],
            "WAITING_API": urls["waiting"]}
    settings = {name: {"ADMIN_PORT": ports[f"{name}-admin"]} for name in COMPONENTS}
    for name in SERVICES:
        settings[name] |= {"HTTP_PORT": ports[name], "TRUSTED_PROXIES": "127.0.0.1"}
    for name in ("tickets", "orders", "payments", "web", "waiting"):
        settings[name]["JWKS_URL"] = urls["auth"] + "/.well-known/jwks.json"
    settings["web"] |= apis
    settings["waiting"]["ORDERS_API"] = urls["orders"]
    settings["payments"]["STRIPE_URL"] = stack.env["STRIPE_SANDBOX_URL"]
    settings["auth"] |= {"SIGNUP_RATE": 0, "SIGNIN_RATE": 0, "HASH_MEMORY": 16, "VERIFY_EMAIL": False}
    settings["mail"] |= {"SMTP_STARTTLS": False}
    return [LEAST, {"image": {"repository": IMAGE.split(":")[0], "tag": IMAGE.split(":")[1], "pullPolicy": "Never"},
                    "kafka": {"brokers": stack.env["KAFKA_BROKERS"]}, "registry": {"url": stack.env["SCHEMA_REGISTRY_URL"]},
                    "sessions": {"secureCookies": False, "keys": ["session.pem"]}, "codes": {"keys": ["ticket.pem"]},
                    "queues": {"keys": ["waiting"], "seedKeys": ["waiting-seed"]},
                    "letters": {"keys": ["link"], "smtp": f"smtp://127.0.0.1:{ports['mailbox']}", "site": stack.url},
                    "settings": {"HTTP_ADDRESS": "127.0.0.1"},
                    "postgres": {"sslmode": "disable"},  # a stack's servers have no certificates
                    "components": {name: {"replicas": 1, "settings": own,
                                          **({"ownerSecret": name, "replicationSecret": name} if name in secrets_of(stack) else {})}
                                   for name, own in settings.items()}}]


class Pods:
    def __init__(self, images, stack, directory):
        self.images, self.stack, self.directory = images, stack, pathlib.Path(directory)
        self.docs = render(values_for(stack))
        self.keys = self.directory / "keys"
        self.keys.mkdir()
        for name in ("session.pem", "ticket.pem", "waiting", "waiting-seed", "link"):
            shutil.copy(stack.state / "keys" / name, self.keys)
            (self.keys / name).chmod(0o444)  # who runs as another user reads it; the directory above is root's

    def pod(self, doc, name, **settings):
        """What podman is to play: the pod of a document, under this name."""
        spec = copy.deepcopy(doc["spec"]["template"]["spec"])
        for container in containers(doc | {"spec": {"template": {"spec": spec}}}):
            container["env"] = [self._resolved(e, name) for e in container.get("env", []) if e["name"] not in settings]
            container["env"] += [{"name": key, "value": str(value)} for key, value in settings.items()]
            for part in TO_LEAVE & container.keys():
                del container[part]
        for volume in spec.get("volumes", []):
            assert volume.pop("secret")["secretName"] in ("sessions", "codes", "queues", "letters")
            volume["hostPath"] = {"path": str(self.keys), "type": "Directory"}
        spec["hostNetwork"] = True
        spec["restartPolicy"] = "Never"  # what ends is to be seen to have ended
        for part in ("serviceAccountName", "topologySpreadConstraints"):
            spec.pop(part, None)
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}

    def _resolved(self, e, name):
        source = e.get("valueFrom", {})
        if "secretKeyRef" in source:
            return {"name": e["name"], "value": secrets_of(self.stack)[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]}
        if "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "metadata.name"
            return {"name": e["name"], "value": name}
        return e

    def play(self, pod):
        self.images.podman("play", "kube", "--log-driver", "k8s-file", "-", input=yaml.safe_dump(pod))

    def job(self, name):
        """Runs a job's containers, one after the other; what they said."""
        pod = self.pod(of(self.docs, "Job", f"shop-{name}"), f"shop-{name}")
        said = ""
        for part in [*pod["spec"].pop("initContainers", []), *pod["spec"]["containers"]]:
            self.play({**pod, "metadata": {"name": pod["metadata"]["name"]}, "spec": {**pod["spec"], "containers": [part]}})
            container = f"{pod['metadata']['name']}-{part['name']}"
            code = self.images.podman("wait", container)
            said += self.images.run("podman", "logs", container).stdout
            self.images.podman("pod", "rm", "-f", pod["metadata"]["name"])
            assert code == "0", f"{container}: {said}"
        return said

    def component(self, name, pod=None, **settings):
        [doc] = [d for d in of(self.docs, "Deployment") + of(self.docs, "StatefulSet") if d["metadata"]["name"] == f"shop-{name}"]
        made = self.pod(doc, pod or f"shop-{name}-0", **settings)
        self.play(made)
        return Running(self.images, made)


class Running:
    """A pod of one container."""

    def __init__(self, images, pod):
        [container] = pod["spec"]["containers"]
        self.images, self.name = images, f"{pod['metadata']['name']}-{container['name']}"
        env = {e["name"]: e["value"] for e in container["env"]}
        self.url, self.admin = f"http://127.0.0.1:{env.get('HTTP_PORT')}", f"http://127.0.0.1:{env['ADMIN_PORT']}"

    def wait_ready(self):
        def ready():
            state = self.inspect()["State"]
            assert state["Running"], f"{self.name} ended: {self.logs()[-2000:]}"
            try:
                return requests.get(self.admin + "/readyz", timeout=5).status_code == 200
            except requests.RequestException:
                return False
        wait_until(ready, f"{self.name} is ready", pause=0.2)
        return self

    def inspect(self):
        return json.loads(self.images.podman("container", "inspect", self.name))[0]

    def logs(self):
        done = self.images.run("podman", "logs", self.name)
        return done.stdout + done.stderr

    def signal(self, name):
        self.images.podman("kill", "--signal", name, self.name)

    def wait(self):
        return int(self.images.podman("wait", self.name))


def ports():
    return {"HTTP_PORT": free_port(), "ADMIN_PORT": free_port()}
