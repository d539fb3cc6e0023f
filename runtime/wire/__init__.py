"""TFaaS's protobuf messages: tfaas.proto, and what ``make proto`` generates of it."""
