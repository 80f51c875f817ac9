"""What the topics `tickets-state`, `orders-state` and `shows-state` say."""

SERVICES = {"tickets": "tickets", "orders": "orders", "shows": "tickets"}  # whose database has the truth


def table(stack, name):
    """What a reader has who starts now and knows nothing: the newest record of each key. No record may be followed by an older one."""
    newest = {}
    for record in stack.topic(f"{name}-state").events():
        assert record.key == str(record["id"]) and record.headers == {"type": record["type"]}
        assert record.key not in newest or newest[record.key]["version"] < record["version"], f"{newest[record.key]} is followed by {record}"
        newest[record.key] = record
    return newest


def agrees(stack, name):
    database = {str(row[0]): row[1:] for row in stack.sql(SERVICES[name], f"select id, version, status::text from {name}")}
    return len(database) > 0 and {key: (e["version"], e["status"]) for key, e in table(stack, name).items()} == database
