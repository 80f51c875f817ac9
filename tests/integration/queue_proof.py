"""tools/verify-queue.py as a module: what the topic `waiting` proves."""
import importlib.util

from support import ROOT

_spec = importlib.util.spec_from_file_location("verify_queue", ROOT / "tools/verify-queue.py")
verify_queue = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(verify_queue)


def rounds(stack, show):
    """Of a show, as its records make them."""
    topic = stack.topic("waiting")
    return verify_queue.replay(map(topic.decode, topic.records(key=show)))
