"""`consume_steadily.py BROKERS GROUP TOPICS PER_SECOND COMMIT_MS`: a member of the group, by librdkafka, that
says on standard output what it has read, `r TOPIC PARTITION OFFSET NUMBER`, before it can be
committed, and what was, `c TOPIC PARTITION OFFSET`. SIGTERM: it commits and leaves."""

import os
import signal
import sys
import time

from confluent_kafka import Consumer

brokers, group, topics, per_second, commit_ms = sys.argv[1:]


def say(line):
    """At once, so that nothing that was said is lost when this process is killed."""
    os.write(1, (line + "\n").encode())


def committed(error, partitions):
    if error is not None:
        return
    for one in partitions:
        if one.offset >= 0 and one.error is None:
            say(f"c {one.topic} {one.partition} {one.offset}")


consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.offset.store": False,
        "auto.commit.interval.ms": int(commit_ms),
        "session.timeout.ms": 10000,
        "fetch.wait.max.ms": 200,
        "on_commit": committed,
    }
)
is_over = False


def end(*_):
    global is_over
    is_over = True


signal.signal(signal.SIGTERM, end)
consumer.subscribe(topics.split(","))
read = 0
started = time.monotonic()
while not is_over:
    message = consumer.poll(0.2)
    if message is None or message.error():
        continue
    number = next(value for key, value in message.headers() if key == "number").decode()
    say(f"r {message.topic()} {message.partition()} {message.offset()} {number}")
    consumer.store_offsets(message=message)
    read += 1
    if float(per_second) > 0:
        ahead = read / float(per_second) - (time.monotonic() - started)
        if ahead > 0.01:
            time.sleep(ahead)
consumer.close()
