"""Rounds of scripts with redis-py, driven by script-client-redis-py.ts, which says what a round is.

Prints a line when it is connected, and one per round: the life, and its replies or the error that came instead. SIGUSR1
begins a life (other keys), the first one, too; SIGTERM ends it after the round. What is right is not judged here.
"""

import json
import signal
import sys
import time

import redis

AGAIN_AFTER_SECONDS = 0.02


class Wishes:
    """What was asked for by signal."""

    renew = False
    stop = False


def main(task):
    signal.signal(signal.SIGUSR1, lambda *_: setattr(Wishes, "renew", True))
    signal.signal(signal.SIGTERM, lambda *_: setattr(Wishes, "stop", True))
    client = redis.Redis(host="127.0.0.1", port=task["port"], decode_responses=True)
    # Replies as they came: OK, not True.
    client.response_callbacks.clear()
    scripts = {name: client.register_script(lua) for name, lua in task["scripts"].items()}
    say = rounds_in(client, scripts, task)
    say(task["name"] + ":calm", 1)
    print(json.dumps({"ready": True}), flush=True)
    while not (Wishes.renew or Wishes.stop):
        time.sleep(0.005)
    life = 0
    while not Wishes.stop:
        live(say, task["name"], life)
        life += 1


def live(say, name, life):
    """Rounds until one fails, or until something is asked for."""
    Wishes.renew = False
    number = 1
    while not (Wishes.renew or Wishes.stop):
        told = {"life": life}
        try:
            told["replies"] = say(f"{name}:{life}", number)
        except redis.RedisError as error:
            # An error's text does not begin with its code: that is its class here.
            told["error"] = f"{type(error).__name__}: {error}".replace("NoScriptError", "NOSCRIPT")
        print(json.dumps(told), flush=True)
        if "error" in told:
            time.sleep(AGAIN_AFTER_SECONDS)
            return
        number += 1


def rounds_in(client, scripts, task):
    """How one round is said: in a pipeline, with or without a transaction."""

    def say(prefix, number):
        with client.pipeline(transaction=task["transaction"]) as pipeline:
            for step in task["round"]:
                args = [a.replace("{p}", prefix).replace("{i}", str(number)) for a in step["args"]]
                if step["script"] is None:
                    pipeline.execute_command(*args)
                else:
                    keys = step["keys"]
                    scripts[step["script"]](args[:keys], args[keys:], client=pipeline)
            return pipeline.execute()

    return say


main(json.loads(sys.argv[1]))
