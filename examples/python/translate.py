"""`translate.py AGENT GROUP FROM TO`: where the group goes on. Made before, beside this file:

python -m grpc_tools.protoc -I proto --python_out=OUT --grpc_python_out=OUT proto/causeway/v1/*.proto
"""

import sys

import grpc
from causeway.v1 import checkpoint_pb2, checkpoint_pb2_grpc, groups_pb2

agent, group, source, target = sys.argv[1:]
with grpc.insecure_channel(agent) as channel:
    stub = checkpoint_pb2_grpc.CheckpointServiceStub(channel)
    request = checkpoint_pb2.TranslateRequest(group=group, to=target)
    setattr(request, "from", source)  # `from` is a word of Python's.
    try:
        answer = stub.Translate(request, timeout=10).translation
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")

for one in answer.positions:
    certainty = groups_pb2.Certainty.Name(one.certainty)
    reason = groups_pb2.TranslationReason.Name(one.reason)
    offset = one.target.offset if one.target.HasField("offset") else "-"
    print(f"{one.target.topic}/{one.target.partition}@{offset} {certainty} {reason}")
print("safe to start" if answer.safe_to_start else f"not safe: {'; '.join(answer.blockers)}")
