"""This process and its children: cores, memory, the quick lane, limits and the end."""
