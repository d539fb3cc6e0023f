"""TFaaS's protobuf messages: tfaas.proto, and the code that ``make proto`` makes."""
