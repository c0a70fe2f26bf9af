"""What a registry node is asked by people, as blocking calls."""

from mq.client.errors import check_answer
from mq.proto import registry_v1_pb2 as pb
from mq.registry.view import RegistryView
from mq.rpc.calling import Connection
from mq.rpc.registration_codec import cluster_of

__all__ = ["describe_cluster"]


def describe_cluster(connection: Connection) -> RegistryView:
    """All broker groups that it knows. Raises: RefusedError (a broker: NOT_IMPLEMENTED), and what `Connection.call` raises."""
    response = connection.call("DescribeCluster", pb.DescribeClusterRequest(), is_idempotent=True, check=check_answer)
    return cluster_of(list(response.groups))
