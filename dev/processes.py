"""The processes of a stack: for each the command, the environment, and how it is seen to be ready."""
import dataclasses
import hashlib
import http.client
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import urllib.parse

import archives
import edge
import fetch
import kafka_storage
import kafka_users
import tls_inside
from common import BUILD, DEV, IS_ROOT, ROOT, Failed, fill, program
from state import State

# Serial GC: few threads, small heaps.
JAVA = ["-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
ONCE = "-XX:TieredStopAtLevel=1"  # C1 alone, for what runs once or is asked a few times: the better compiler's work would never pay


@dataclasses.dataclass
class Process:
    name: str
    command: list
    port: int
    log: pathlib.Path
    ready: callable
    environment: dict = dataclasses.field(default_factory=dict)
    directory: pathlib.Path = pathlib.Path("/")
    user: str = ""
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    admin_port: int = None  # of ours; most streams have no other


def get(port, path):
    """Status and text of GET path on this port; status 0 and the error where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def answers(port, path):
    return get(port, path)[0] == 200


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def base_environment():
    """With the libraries of the caller's choice, if any."""
    chosen = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **chosen}


# --- Postgres: a server of its own for each service that keeps data, and one for what is not a service of ours ---

POSTGRES = "postgres"


def servers(services):
    """The processes that keep these services' data, and POSTGRES, which keeps that of the registry, the sandbox and the warehouse."""
    return [POSTGRES, *sorted({server_of(name) for name in services if keeps_data(name)} - {POSTGRES})]


def server_of(database):
    return f"{POSTGRES}-{database}" if publishes(database) else POSTGRES


def publishes(service):
    """Whether it reads its own database's log. The sandbox keeps data and tells nobody."""
    return keeps_data(service) and service != SANDBOX


def keeps_data(service):
    return (ROOT / "services" / service / "migrations").is_dir()


def postgres_bin():
    found = subprocess.run([ROOT / "tools/postgres-bin"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    if not found:
        raise Failed("Postgres is not installed; ./onsale run installs what is missing")
    return pathlib.Path(found)


def postgres(state, name):
    data = state.dir / "data" / name
    port = state.ports[name]
    return Process(
        name=name, port=port, log=state.dir / f"log/{name}.log", user="postgres" if IS_ROOT else "",
        command=[postgres_bin() / "postgres", "-D", data, "-p", port], environment=base_environment(),
        stop_signal="INT", stop_seconds=30,  # INT: end the sessions, checkpoint, exit
        ready=lambda: _accepts(data / "postmaster.pid") and listens(port))


def _accepts(file):
    """As pg_ctl reads it: the eighth line says so. One that was killed leaves its file, so somebody has to listen as well."""
    try:
        return file.read_text().splitlines()[7:8] == ["ready   "]
    except FileNotFoundError:
        return False


def prepare_postgres(state, names):
    """The files of these servers. Those that are new are copies of one: to make one anew takes ten times as long."""
    data = {name: state.dir / "data" / name for name in names}
    new = [path for path in data.values() if not path.exists()]
    if new:
        first = state.dir / "data/postgres.part"
        _initialize(state, first)
        for path in new[1:]:
            copy = path.with_suffix(".part")
            shutil.rmtree(copy, ignore_errors=True)
            subprocess.run([program("cp"), "-a", first, copy], check=True)
            copy.rename(path)
        first.rename(new[0])
    for path in data.values():
        for file in ("postgresql.conf", "pg_hba.conf"):
            (path / file).write_text((DEV / "postgres" / file).read_text())


def _initialize(state, unfinished):
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    password = state.dir / "data/postgres.password"
    password.write_text(state.password)
    as_postgres = []
    if IS_ROOT:  # the server refuses to run as root
        as_postgres = [program("runuser"), "-u", "postgres", "--"]
        for path in (unfinished, password):
            shutil.chown(path, "postgres", "postgres")
    try:
        subprocess.run([*as_postgres, postgres_bin() / "initdb", "-D", unfinished, "-U", "onsale", "-A", "scram-sha-256",
                        "--pwfile", password, "-E", "UTF8", "--locale=C.UTF-8"],
                       cwd="/", check=True, stdout=subprocess.DEVNULL)
    finally:
        password.unlink()


def database_url(state, name):
    return f"postgresql://{name}:{state.password}@127.0.0.1:{state.ports[server_of(name)]}/{name}"


def owner_url(state, name):
    """Of the role that owns a service's database, by which it is migrated. The service's own only reads and writes."""
    return f"postgresql://{owner_of(name)}:{state.password}@127.0.0.1:{state.ports[server_of(name)]}/{name}"


def owner_environment(name, environment):
    """What a migration has beyond a program's environment: who owns the database, wherever that says it is."""
    url = environment.get("DATABASE_URL", "")
    return {"OWNER_DATABASE_URL": url.replace(f"//{name}:", f"//{owner_of(name)}:", 1)} if keeps_data(name) else {}


def owner_of(name):
    return f"{name}-owner" if keeps_data(name) else name


def replication_url(state, name):
    """Of the role by which a service's event log is read as it is written. It reads no table."""
    return f"postgresql://{replicator_of(name)}:{state.password}@127.0.0.1:{state.ports[server_of(name)]}/{name}"


def replicator_of(name):
    return f"{name}-replication"


def superuser_url(state, server):
    return f"postgresql://onsale:{state.password}@127.0.0.1:{state.ports[server]}/postgres"


# One of before has a database of the role that serves: that becomes its owner's.
ROLES = r"""
select 'create role "{name}" login password ''{password}''' where not exists (select from pg_roles where rolname = '{name}')\gexec
select 'create role "{owner}" login password ''{password}''' where not exists (select from pg_roles where rolname = '{owner}')\gexec
alter role "{name}" noreplication;
select 'create database "{name}" owner "{owner}" strategy file_copy' where not exists (select from pg_database where datname = '{name}')\gexec
revoke connect, temporary on database "{name}" from public;
grant connect on database "{name}" to "{name}";
select 'grant "{name}" to "{owner}"' where '{name}' <> '{owner}'\gexec
\connect "{name}"
set client_min_messages = warning;
select 'reassign owned by "{name}" to "{owner}"' from pg_database
    where datname = '{name}' and datdba = (select oid from pg_roles where rolname = '{name}') and '{name}' <> '{owner}'\gexec
"""


# It opens this database alone, and has a right to nothing in it.
REPLICATOR = r"""
select 'create role "{replicator}" login replication password ''{password}''' where not exists (select from pg_roles where rolname = '{replicator}')\gexec
grant connect on database "{name}" to "{replicator}";
"""


def create_databases(state, server, names):
    """A database for each of the names that this server keeps, where missing: a role that owns it, one that serves, and of a service one that replicates.
    To copy the template's files takes less of a new server than to write each page of them to its log."""
    script = "".join(text.format(name=name, owner=owner_of(name), replicator=replicator_of(name), password=state.password)
                     for name in names if server_of(name) == server for text in ((ROLES, REPLICATOR) if publishes(name) else (ROLES,)))
    subprocess.run([program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", superuser_url(state, server)],
                   input="set client_min_messages = warning;\n" + script, text=True, check=True, stdout=subprocess.DEVNULL)


# --- Kafka and the schema registry ---

KAFKA = "kafka"


def kafkas(state):
    """The names of the brokers."""
    return [KAFKA, *(f"{KAFKA}-{number}" for number in range(2, state.brokers + 1))]


def controller_port(name):
    """What a broker's other port is called."""
    return f"{name}-controller"


def kafka(state, name):
    port = state.ports[name]
    return Process(
        name=name, port=port, log=state.dir / f"log/{name}.log", stop_seconds=30, environment=base_environment(),
        command=[*_kafka_java(archives.flag("kafka")), "kafka.Kafka", state.dir / f"run/{name}.properties"],
        ready=lambda: listens(port))


def _kafka_java(*flags):
    return [program("java"), "-Xms96m", "-Xmx512m", *JAVA, *flags, *_callers_options(), f"-Dlog4j2.configurationFile={DEV}/kafka/log4j2.yaml",
            "-cp", f"{fetch.jars()}/kafka/*"]


def _callers_options():
    """By the name that Kafka's own scripts give them."""
    return os.environ.get("KAFKA_OPTS", "").split()


def prepare_kafka(state):
    """Each broker's properties, and its storage where it has none. With three brokers a record is on two disks before it counts."""
    voters = ",".join(f"{number}@127.0.0.1:{state.ports[controller_port(name)]}" for number, name in enumerate(kafkas(state), 1))
    cluster = kafka_storage.new_id()
    for number, name in enumerate(kafkas(state), 1):
        data, properties = state.dir / "data" / name, state.dir / f"run/{name}.properties"
        text = fill(DEV / "kafka/server.properties", number=number, voters=voters, port=state.ports[name], data=data,
                    controller_port=state.ports[controller_port(name)], replicas=state.brokers, in_sync=2 if state.brokers > 1 else 1,
                    **kafka_users.protocols(state))
        properties.write_text(text + kafka_users.server_properties(state))
        if not (data / "meta.properties").exists():
            kafka_storage.make(state, data, number, cluster, _kafka_java(ONCE))


def registry(state):
    port = state.ports["registry"]
    environment = base_environment() | {
        "QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": port, "QUARKUS_LOG_LEVEL": "WARN",
        # In Postgres: records on the topics name schema ids, so these have to survive with them.
        "APICURIO_STORAGE_KIND": "sql", "APICURIO_STORAGE_SQL_KIND": "postgresql",
        "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://127.0.0.1:{state.ports[POSTGRES]}/registry",
        "APICURIO_DATASOURCE_USERNAME": "registry", "APICURIO_DATASOURCE_PASSWORD": state.password,
        "APICURIO_RULES_GLOBAL_COMPATIBILITY": "BACKWARD", "APICURIO_REST_DELETION_ARTIFACT_ENABLED": "true",
    }
    return Process(
        name="registry", port=port, log=state.dir / "log/registry.log", environment=environment,
        command=[program("java"), "-Xms32m", "-Xmx256m", *JAVA, ONCE, archives.flag("registry"),
                 "-jar", *(fetch.jars() / "registry").glob("*-runner.jar")],
        ready=lambda: answers(port, "/apis/ccompat/v7/subjects"))


# --- Kafka Connect, which fills the warehouse ---

CONNECT = "connect"
WAREHOUSE = "warehouse"


def connect(state):
    port = state.ports[CONNECT]
    environment = base_environment() | {
        "KAFKA_BROKERS": brokers(state), "CONNECT_LISTENER": f"http://127.0.0.1:{port}",
        "REGISTRY_API_URL": registry_api_url(state),
        "WAREHOUSE_JDBC_URL": f"jdbc:postgresql://127.0.0.1:{state.ports[POSTGRES]}/{WAREHOUSE}?stringtype=unspecified&reWriteBatchedInserts=true",
        "WAREHOUSE_USER": WAREHOUSE, "WAREHOUSE_PASSWORD": state.password,
        **lake(state), "LAKE_COMMIT_MS": "5000",
    }
    return Process(
        name=CONNECT, port=port, log=state.dir / "log/connect.log", environment=environment, stop_seconds=30,
        command=[program("java"), "-Xms64m", "-Xmx768m" if state.lake else "-Xmx384m", *JAVA, *_callers_options(),
                 f"-Dlog4j2.configurationFile={ROOT}/connect/log4j2.yaml", "-cp", f"{fetch.jars()}/kafka/*",
                 "org.apache.kafka.connect.cli.ConnectDistributed", state.dir / "run/connect.properties"],
        ready=lambda: answers(port, "/connectors"))


def prepare_connect(state):
    worker = (ROOT / "connect/worker.properties").read_text()
    plugins = ",".join(map(str, [fetch.plugins(), fetch.lake_plugins()] if state.lake else [fetch.plugins()]))
    (state.dir / "run/connect.properties").write_text(f"{worker}\nplugin.path={plugins}\n{kafka_users.java_properties(state, CONNECT)}")


def connect_urls(state):
    return {"CONNECT_URL": f"http://127.0.0.1:{state.ports[CONNECT]}", "WAREHOUSE_DATABASE_URL": database_url(state, WAREHOUSE), **lake(state)}


def lake(state):
    """Where its files are, and who may read and write them there: as Iceberg's sink and pyiceberg have it."""
    found = {"LAKE_LOCATION": f"file://{state.dir}/data/lake"} | state.environment.get(CONNECT, {})
    of_pyiceberg = {"AWS_ENDPOINT_URL_S3": "PYICEBERG_CATALOG__ONSALE__S3__ENDPOINT", "AWS_REGION": "PYICEBERG_CATALOG__ONSALE__S3__REGION"}
    return found | {theirs: found[ours] for ours, theirs in of_pyiceberg.items() if ours in found} if state.lake else {}


def callers_lake():
    """Of the caller's environment, where it is, if not in the stack's own files."""
    return {k: v for k, v in os.environ.items() if k == "LAKE_LOCATION" or k.startswith("AWS_")} if os.environ.get("LAKE_LOCATION") else {}


def apply_sinks(state):
    """The warehouse's tables and views, and what fills them, as connect/ has them; returns what was said."""
    done = subprocess.run([ROOT / "connect/apply"], env=base_environment() | connect_urls(state), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Failed(f"connect/apply failed:\n{done.stdout}")
    return done.stdout


def java_alone(scratch, database):
    """Kafka and the registry by themselves, in a scratch directory and a database: to be started once for their class archives."""
    state = State(scratch)
    state.create()
    state.claim_block()
    for name in (POSTGRES, KAFKA, controller_port(KAFKA), "registry"):
        state.choose_port(name)
    prepare_kafka(state)
    alone, url = registry(state), urllib.parse.urlsplit(database)
    alone.environment |= {"APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{url.hostname}:{url.port}{url.path}",
                          "APICURIO_DATASOURCE_USERNAME": url.username}
    return [kafka(state, KAFKA), alone]


# --- where letters go ---

MAILBOX = "mailbox"
MAILBOX_PAGE = "mailbox-page"


def mailbox(state):
    port, page = state.ports[MAILBOX], state.ports[MAILBOX_PAGE]
    return Process(
        name=MAILBOX, port=port, log=state.dir / "log/mailbox.log", environment=base_environment(),
        command=["/usr/bin/python3", DEV / "mailbox.py", port, page],  # Debian's, which has aiosmtpd
        ready=lambda: answers(page, "/letters"))


def mailbox_url(state):
    return f"http://127.0.0.1:{state.ports[MAILBOX_PAGE]}"


# --- the edge ---

def edge_server(state):
    port = state.ports["edge"]
    config = state.dir / "run/edge.conf"
    return Process(
        name="edge", port=port, log=state.dir / "log/edge.log", environment=base_environment(), stop_signal="USR1", stop_seconds=5,
        command=[program("haproxy"), "-db", "-f", config], ready=lambda: listens(port))


def prepare_edge(state, services):
    edge.write_config(state.dir / "run/edge.conf", state, services)


# --- our own: services and streams ---

# How a process finds the others: always ours, whatever the caller's environment says (it may be another checkout's).
WIRING = ("HTTP_ADDRESS", "HTTP_PORT", "ADMIN_PORT", "DATABASE_URL", "OWNER_DATABASE_URL", "REPLICATION_DATABASE_URL", "KAFKA_BROKERS",
          "KAFKA_USER", "KAFKA_PASSWORD", "KAFKA_TLS", "KAFKA_CA", "SCHEMA_REGISTRY_URL", "SCHEMA_REGISTRY_USER", "SCHEMA_REGISTRY_PASSWORD", "SESSION_KEYS",
          "TICKET_KEYS", "WAITING_KEYS", "WAITING_SEED_KEYS", "LINK_KEYS", "PUBLIC_URL", "PASSKEY_ORIGIN", "JWKS_URL",
          "USERS_API", "TICKETS_API", "ORDERS_API", "PAYMENTS_API",
          "WAITING_API", "SANDBOX_KEY", "SANDBOX_PUBLIC_URL",
          "SANDBOX_WEBHOOK_URL", "SANDBOX_WEBHOOK_SECRET", "HTTP_TLS_CERT", "HTTP_TLS_KEY", "HTTP_TLS_CLIENT_CA", "INTERNAL_TLS_CA",
          "INTERNAL_TLS_CERT", "INTERNAL_TLS_KEY")
SANDBOX = "stripe-sandbox"
# What suits development, unless the caller's environment says otherwise.
SUITABLE = {"CORE_DUMPS": "true", "LOG_LEVEL": "info", "EVENT_COPIES": "1", "SECURE_COOKIES": "false", "TRUSTED_PROXIES": "127.0.0.1",
            "VERIFY_EMAIL": "false", "MAIL_FROM": "onsale@onsale.example"}


def found(kind):
    """The names of the services or streams that have a main.c."""
    return sorted(path.parent.name for path in ROOT.glob(f"{kind}/*/main.c"))


def has_api(name):
    """Of the streams few have one."""
    return any((ROOT / kind / name / "routes.c").exists() for kind in ("services", "streams"))


def own(state, name):
    admin_port = state.ports[f"{name}-admin"]
    return Process(name=name, port=state.ports.get(name), admin_port=admin_port, log=state.dir / f"log/{name}.log",
                   command=[BUILD / name], ready=lambda: answers(admin_port, "/readyz"))


def own_environment(state, name):
    """The wiring as far as the program knows it, and its settings of this run. It has to be built."""
    wiring = {
        "HTTP_ADDRESS": "127.0.0.1", "HTTP_PORT": state.ports.get(name), "ADMIN_PORT": state.ports[f"{name}-admin"],
        "DATABASE_URL": database_url(state, name), "REPLICATION_DATABASE_URL": replication_url(state, name), "KAFKA_BROKERS": brokers(state),
        "SCHEMA_REGISTRY_URL": registry_url(state),
        "SESSION_KEYS": session_key(state), "TICKET_KEYS": ticket_key(state), "WAITING_KEYS": waiting_key(state, "waiting"),
        "WAITING_SEED_KEYS": waiting_key(state, "waiting-seed"), "LINK_KEYS": waiting_key(state, "link"),
        "PUBLIC_URL": f"http://127.0.0.1:{state.ports.get('edge')}",
        "PASSKEY_ORIGIN": f"http://localhost:{state.ports.get('edge')}",  # browsers bind passkeys to a name, not to an address
        "JWKS_URL": f"{tls_inside.scheme(state)}://127.0.0.1:{state.ports.get('auth')}/.well-known/jwks.json",
        "INSTANCE_ID": name, **kafka_users.environment(state, name), **api_urls(state),
        **({} if name == SANDBOX else tls_inside.environment(state, name)),
    }
    known = settings(name)
    ours = {k: v for k, v in (SUITABLE | stripe(state, name) | smtp(state, name) | wiring).items() if k in known}
    return base_environment() | ours | state.environment.get(name, {})


def api_urls(state):
    """Where web finds the others; those that this stack has not are left out."""
    parts = {"USERS_API": "auth", "TICKETS_API": "tickets", "ORDERS_API": "orders", "PAYMENTS_API": "payments", "WAITING_API": "waiting"}
    return {key: f"{tls_inside.scheme(state)}://127.0.0.1:{state.ports[name]}" for key, name in parts.items() if name in state.ports}


def stripe(state, name):
    """Who asks the sandbox and who is it, unless this program was given a key of Stripe's."""
    if "STRIPE_SECRET_KEY" in state.environment.get(name, {}) or SANDBOX not in state.ports:
        return {}
    url, secrets = f"http://127.0.0.1:{state.ports[SANDBOX]}", sandbox_secrets(state)
    webhook = state.ports["edge" if state.tls_inside else "payments"] if "payments" in state.ports else None
    return {
        "STRIPE_URL": url, "STRIPE_SECRET_KEY": secrets["key"], "STRIPE_WEBHOOK_SECRETS": secrets["webhooks"],
        "SANDBOX_KEY": secrets["key"], "SANDBOX_PUBLIC_URL": url, "SANDBOX_WEBHOOK_SECRET": secrets["webhooks"],
        "SANDBOX_WEBHOOK_URL": f"http://127.0.0.1:{webhook}/api/payments/webhook" if webhook else "",
        "PAYMENT_FAILURES_PER_CARD": "0",  # its few test cards are everybody's, and some are there to be declined
    }


def smtp(state, name):
    """The mailbox, unless this program was given another server."""
    if "SMTP_URL" in state.environment.get(name, {}) or MAILBOX not in state.ports:
        return {}
    return {"SMTP_URL": f"smtp://127.0.0.1:{state.ports[MAILBOX]}", "SMTP_STARTTLS": "false"}


def sandbox_secrets(state):
    """They open nothing but the sandbox; a stack keeps its own."""
    secret = hashlib.sha256(f"stripe {state.password}".encode()).hexdigest()[:32]
    return {"key": f"sk_test_{secret}", "webhooks": f"whsec_{secret}"}


def settings(name):
    """The environment variables that a program of ours reads, with their defaults: its --help lists them."""
    text = subprocess.run([BUILD / name, "--help"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return dict(re.findall(r"^\s*([A-Z][A-Z0-9_]+) +\w+ +(\S+)", text, re.M))


def callers_settings(name, hold=None):
    """Of the caller's environment, what this program reads: its own settings and librdkafka's properties."""
    known = settings(name).keys() - set(WIRING)
    chosen = {k: v for k, v in os.environ.items() if k in known or k.startswith("RDKAFKA_")}
    if not chosen.get("STRIPE_SECRET_KEY"):  # an empty one is none
        chosen.pop("STRIPE_SECRET_KEY", None)
    if hold is not None and "HOLD_SECONDS" in known:
        chosen["HOLD_SECONDS"] = str(hold)
    return chosen


def session_key(state):
    """The development key that auth signs by."""
    return made_key(state, "session", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")


def ticket_key(state):
    """The development key that tickets' codes are signed by."""
    return made_key(state, "ticket", "ed25519")


def waiting_key(state, name):
    """The development key of admissions, which waiting and orders share, of seeds, which waiting alone has, or of letters' links, which auth and mail
    share. Made once."""
    key = state.dir / f"keys/{name}"
    if not key.exists():
        unfinished = key.with_suffix(".part")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_hex(32) + "\n")
        unfinished.rename(key)
    return key


def made_key(state, name, algorithm, *options):
    """Made once."""
    key = state.dir / f"keys/{name}.pem"
    if not key.exists():
        unfinished = key.with_suffix(".part")
        unfinished.touch(mode=0o600)
        subprocess.run([program("openssl"), "genpkey", "-algorithm", algorithm, *options, "-out", unfinished], check=True,
                       stderr=subprocess.DEVNULL)
        unfinished.rename(key)
    return key


def brokers(state):
    return ",".join(f"127.0.0.1:{state.ports[name]}" for name in kafkas(state))


def kafka_environment(state, user):
    """Of a program that is that user."""
    return base_environment() | {"KAFKA_BROKERS": brokers(state)} | kafka_users.environment(state, user)


def registry_url(state):
    return f"http://127.0.0.1:{state.ports['registry']}/apis/ccompat/v7"


def registry_api_url(state):
    return f"http://127.0.0.1:{state.ports['registry']}/apis/registry/v2"
