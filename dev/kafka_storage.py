"""The storage of a new Kafka broker."""
import base64
import shutil
import subprocess
import uuid

import fetch
import kafka_users
from common import DEV, Failed, cache_dir, fill

# As Kafka's own tool writes it, of version 1.
META = "version=1\ncluster.id={cluster}\nnode.id={number}\ndirectory.id={directory}\n"


def make(state, data, number, cluster, java):
    """A copy of what the tool made once, with names of its own: the tool takes a second of a core, as much as all else before Kafka starts.
    A stack with Kafka's users has a first storage of its own, with these in it."""
    kept = _of_users(state, java) if state.users else _made_once(java)
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy(kept / "bootstrap.checkpoint", data)
    meta = data / "meta.properties.new"
    meta.write_text(META.format(cluster=cluster, number=number, directory=new_id()))
    meta.rename(data / "meta.properties")


def new_id():
    """16 bytes in letters, as Kafka's own; one that begins with - would be taken for an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def _made_once(java):
    kept = cache_dir() / f"kafka-storage-{fetch.version(fetch.POM, DEV / 'kafka/server.properties')}"
    with fetch.being_made(kept) as unfinished:
        if unfinished:
            _format(unfinished, java)
    return kept


def _of_users(state, java):
    kept = state.dir / "keys/kafka-storage"
    if not kept.exists():
        unfinished = kept.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        _format(unfinished, java, *kafka_users.storage_arguments(state))
        unfinished.rename(kept)
    return kept


def _format(directory, java, *arguments):
    directory.mkdir()
    properties = directory / "server.properties"
    properties.write_text(fill(DEV / "kafka/server.properties", number=1, voters="1@127.0.0.1:1", port=2, controller_port=1,
                               data=directory, replicas=1, in_sync=1, protocol="PLAINTEXT", controller_protocol="PLAINTEXT"))
    done = subprocess.run([*java, "kafka.tools.StorageTool", "format", "-t", new_id(), "-c", properties, *arguments],
                          cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Failed(f"Kafka's storage could not be made:\n{done.stdout}")
