"""The way of one prediction: from a request's image, row or tensors to an answer."""
