"""The trainer: it fits a Keras model to a data set, and writes it as a TFaaS bundle."""
