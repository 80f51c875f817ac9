"""A Kafka that wants to know who one is (./onsale run --users), as a deployment has it: TLS, a user for each process by SCRAM-SHA-512, and for each the
rights in schemas/rights.json alone. It takes a librdkafka from 2.6.1 on."""
import hashlib
import json
import subprocess

from certificates import join, make_authority, make_certificate
from common import BUILD, ROOT, Failed

RIGHTS = ROOT / "schemas/rights.json"
ADMIN = "onsale"  # whom nothing is refused
NODE = "kafka"  # how brokers know each other as controllers: by their certificate

# What server.properties says more. Nobody has a right that was not given to him.
SERVER = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{admin};User:CN={node}
ssl.keystore.type=PEM
ssl.keystore.location={keys}/kafka.pem
ssl.truststore.type=PEM
ssl.truststore.location={keys}/kafka-ca.pem
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config={jaas}
listener.name.controller.ssl.client.auth=required
"""
JAAS = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="{user}" password="{password}";'


def names():
    return [user["name"] for user in json.loads(RIGHTS.read_text())["users"]]


def password(state, user):
    return hashlib.sha256(f"kafka {user} {state.password}".encode()).hexdigest()[:32]


def _jaas(state, user):
    return JAAS.format(user=user, password=password(state, user))


def protocols(state):
    """Of clients, and of controllers among themselves."""
    return {"protocol": "SASL_SSL", "controller_protocol": "SSL"} if state.users else {"protocol": "PLAINTEXT", "controller_protocol": "PLAINTEXT"}


def server_properties(state):
    if not state.users:
        return ""
    _make_certificates(state)
    return SERVER.format(admin=ADMIN, node=NODE, keys=state.dir / "keys", jaas=_jaas(state, ADMIN))


def storage_arguments(state):
    """Of Kafka's tool that makes a new storage: the users, who are there from its first start on."""
    users = [ADMIN, *names()] if state.users else []
    return [word for user in users for word in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password(state, user)}]")]


def _make_certificates(state):
    keys = state.dir / "keys"
    if (keys / "kafka.pem").exists():
        return
    make_authority(keys, "kafka-ca")
    make_certificate(keys, "kafka-node", "kafka-ca", NODE, "IP:127.0.0.1")
    join(keys, "kafka-node", "kafka.pem")


def environment(state, user):
    """How a program of ours logs in."""
    if not state.users:
        return {}
    return {"KAFKA_USER": user, "KAFKA_PASSWORD": password(state, user), "KAFKA_TLS": "true", "KAFKA_CA": str(state.dir / "keys/kafka-ca.pem")}


def java_properties(state, user):
    """How a worker of Connect does, and what it starts."""
    if not state.users:
        return ""
    settings = {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": _jaas(state, user),
                "ssl.truststore.type": "PEM", "ssl.truststore.location": state.dir / "keys/kafka-ca.pem"}
    return "".join(f"{of}{key}={value}\n" for of in ("", "consumer.", "producer.", "admin.") for key, value in settings.items())


def give_rights(state, environment):
    """environment: of whom nothing is refused."""
    done = subprocess.run([BUILD / "rights", RIGHTS], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    if done.returncode != 0:
        raise Failed(f"Kafka's users did not get their rights:\n{done.stdout}")
