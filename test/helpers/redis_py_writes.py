"""Marks for the ledger, written with redis-py and its ordinary settings for reconnecting; see restart-load.ts.

Each thread is an application that writes mark after mark, and prints a line once it knows what became of them: one by
one, in pipelines, in transactions. SIGTERM ends it after the marks at hand.
"""

import json
import signal
import sys
import threading

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

# A connection that is refused is an OSError to redis-py 4, and no ConnectionError of its own.
HEALED = [redis.ConnectionError, redis.TimeoutError, OSError]

stop = threading.Event()
out = threading.Lock()


def patience():
    return Retry(ExponentialBackoff(cap=0.5, base=0.01), 20)


def main(task):
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    client = redis.Redis(
        host="127.0.0.1", port=task["port"], retry=patience(), retry_on_error=HEALED
    )
    ways = {"single": single, "pipeline": pipeline, "transaction": transaction}
    threads = [
        threading.Thread(target=live, args=(client, ways[way], book))
        for way, book in task["clients"].items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.1)


def live(client, write, book):
    n = 1
    while not stop.is_set():
        count = 1 if write is single else 8
        told = {"client": book, "count": count}
        try:
            write(client, book, n, count)
        except redis.RedisError as error:
            told["error"] = f"{type(error).__name__}: {error}"
        with out:
            print(json.dumps(told), flush=True)
        n += count


def single(client, book, n, _count):
    client.rpush(f"L:{n % 16}", f"{book}:{n}")


def pipeline(client, book, n, count):
    many(client, False, book, n, count)


def transaction(client, book, n, count):
    many(client, True, book, n, count)


def many(client, is_transaction, book, n, count):
    def execute():
        pipe = client.pipeline(transaction=is_transaction)
        for mark in range(n, n + count):
            pipe.rpush(f"L:{mark % 16}", f"{book}:{mark}")
        pipe.execute()

    # Whatever its settings, redis-py leaves it to the application to say a pipeline again.
    patience().call_with_retry(execute, lambda error: None)


main(json.loads(sys.argv[1]))
