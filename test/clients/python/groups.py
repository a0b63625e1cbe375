"""`groups.py BROKERS TOPIC GROUP COUNT`: reads so many records as a member, commits, leaves."""

import sys

from confluent_kafka import Consumer

brokers, topic, group, count = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }
)
consumer.subscribe([topic])
found = 0
while found < int(count):
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        raise SystemExit(str(message.error()))
    found += 1
consumer.commit(asynchronous=False)
consumer.close()
