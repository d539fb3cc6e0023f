"""This process, its threads and its children: cores, memory, limits, and the end."""
