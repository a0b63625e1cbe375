"""`list_calls.py AGENT`: every call of the agent, by reflection: without any .proto file."""

import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

with grpc.insecure_channel(sys.argv[1]) as channel:
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    for service in sorted(database.get_services()):
        for method in pool.FindServiceByName(service).methods:
            print(f"{service}/{method.name}")
