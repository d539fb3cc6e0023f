"""A data set -> a fitted Keras model -> a TFaaS bundle."""
