"""Questions to databases, by connections that are kept: to open one costs Postgres and the test more than most questions do."""
import collections
import select

import psycopg

MOST = 12  # databases that connections are kept to: those of one stack, and a few that tests make
_idle = collections.OrderedDict()  # {url: connections that nobody uses}, the one asked last at the end


def ask_anew(url, query, args=None):
    """All rows, by a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        return _rows(connection.execute(query, args))


def _rows(cursor):
    return cursor.fetchall() if cursor.description else []


def ask(url, query, args=None):
    """All rows. A transaction of its own; from any thread."""
    connection = _take(url)
    try:
        rows = _rows(connection.execute(query, args))
    except BaseException:
        connection.close()
        raise
    _give_back(url, connection)
    return rows


def _take(url):
    while connections := _idle.get(url):
        try:
            connection = connections.pop()
        except IndexError:  # another thread took it
            break
        if not _ended(connection):
            return connection
        connection.close()
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


def _ended(connection):
    """The server says something unasked when it ends a session, and its socket ends when it dies."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _give_back(url, connection):
    _idle.setdefault(url, []).append(connection)
    _idle.move_to_end(url)
    while len(_idle) > MOST:
        for old in _idle.popitem(last=False)[1]:
            old.close()
