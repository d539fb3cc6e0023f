"""The commands of ``trainer``: their options, and one file for each of them."""
