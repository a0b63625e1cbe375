"""Does what it is told on standard input, in the form of test/support/foreign-producer.ts, with
librdkafka's producer; each order but `send` is answered by a line `ok`. A record that is not
acknowledged ends it."""

import struct
import sys

from confluent_kafka import Producer

source = sys.stdin.buffer
failures = []
producers = {}
seconds_max = 60


def read(form):
    return struct.unpack(form, source.read(struct.calcsize(form)))


def read_bytes():
    (length,) = read(">i")
    return None if length < 0 else source.read(length)


def open_producer(number, settings):
    opened = Producer(dict(line.split("=", 1) for line in settings.split("\n")))
    if "transactional.id" in settings:
        opened.init_transactions(seconds_max)
    producers[number] = opened


def on_delivery(error, _message):
    if error is not None:
        failures.append(error)


def send(producer, topic):
    partition, timestamp = read(">iq")
    key = read_bytes()
    value = read_bytes()
    (count,) = read(">i")
    headers = [(read_bytes().decode(), read_bytes()) for _ in range(count)]
    while True:
        try:
            producer.produce(
                topic,
                value,
                key,
                partition=partition,
                timestamp=timestamp,
                headers=headers,
                on_delivery=on_delivery,
            )
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.1)


def flush(producer):
    left = producer.flush(seconds_max)
    if left > 0:
        failures.append(f"{left} records not acknowledged")


def main():
    producer = None
    topic = ""
    while order := source.read(1):
        if order == b"s":
            send(producer, topic)
            continue
        if order == b"o":
            (number,) = read(">i")
            open_producer(number, read_bytes().decode())
        elif order == b"u":
            (number,) = read(">i")
            producer = producers[number]
            topic = read_bytes().decode()
        elif order == b"f":
            flush(producer)
        elif order == b"b":
            producer.begin_transaction()
        elif order == b"c":
            producer.commit_transaction(seconds_max)
        elif order == b"a":
            producer.abort_transaction(seconds_max)
        else:
            raise ValueError(f"unknown order {order}")
        if failures:
            raise RuntimeError(failures[0])
        print("ok", flush=True)


main()
