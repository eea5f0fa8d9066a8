"""From gRPC streams to the store: `stream` numbers, `ingester` writes, `service` answers."""
