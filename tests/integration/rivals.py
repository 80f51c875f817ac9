"""Requests of many that reach the services at one moment, and one that is on its way for as long as a test likes."""
import asyncio
import collections
import time

from waits import DEADLINE


async def exchange(url, path, token, body):
    """Connects; gives a function that sends a request and one that reads the status."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
               f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()

    async def status():
        line = await reader.readline()
        await reader.read()
        writer.close()
        return int(line.split()[1])
    return lambda: writer.write(request), status


async def all_at_once(urls, tokens, bodies, path="/api/orders"):
    """How many had which status in the end. Whoever is told to come again (503: a rival's transaction took its time) does, by the same instance."""
    counts, asking = collections.Counter(), [(urls[n % len(urls)], path, *of) for n, of in enumerate(zip(tokens, bodies))]
    began = time.monotonic()
    while asking:
        open_ones = [await exchange(*one) for one in asking]
        for send, _ in open_ones:
            send()
        statuses = await asyncio.gather(*(status() for _, status in open_ones))
        counts.update(status for status in statuses if status != 503)
        asking = [one for one, status in zip(asking, statuses) if status == 503]
        assert time.monotonic() < began + DEADLINE, f"{len(asking)} were told to come again and again"
    return counts


def begin_order(connection, ticket):
    """Of somebody else, in orders' database; nobody sees it before the connection commits."""
    connection.execute("""insert into orders (id, version, ticket_id, user_id, seller_id, status, expires_at, grace_ends_at, price, currency, title,
                                              ticket_version, hold_slot)
                          select gen_random_uuid(), 1, id, gen_random_uuid(), user_id, 'created', now(), now(), price, currency, title, version, 0
                            from tickets where id = %s""", [ticket])
