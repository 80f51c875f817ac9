"""What the topic `watermarks` promises about others, held against what came there."""
import bisect
import collections
import datetime


def milliseconds(moment):
    """As the schemas have it: what is less than one is cut off."""
    return (moment - datetime.datetime.fromtimestamp(0, datetime.UTC)) // datetime.timedelta(milliseconds=1)


def broken(told, events):
    """The events that one of these promises excludes. One that is there already may come again."""
    offsets, latest = collections.defaultdict(list), collections.defaultdict(list)
    for promise in sorted(told, key=lambda e: e["offset"]):
        of, at = (promise["partition"], str(promise["epoch"])), milliseconds(promise["occurredAt"])
        offsets[of].append(promise["offset"])
        latest[of].append(max(at, latest[of][-1] if latest[of] else at))
    excluded, seen = [], set()
    for event in sorted(events, key=lambda e: (e.partition, e.offset)):
        identity, of = (event["id"], event["version"]), (event.partition, event.headers.get("epoch"))
        before = bisect.bisect_right(offsets[of], event.offset)
        if identity not in seen and before and milliseconds(event["occurredAt"]) < latest[of][before - 1]:
            excluded.append((event.partition, event.offset, dict(event), latest[of][before - 1]))
        seen.add(identity)
    return excluded
