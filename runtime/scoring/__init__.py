"""The scores of many items at once, without a service or by one.

A *source* cuts the input into chunks, a *scorer* answers each of them, and a *form*
writes the answers as lines. The chunks are answered on all cores, and their lines are
put together in the order of the input, in a hidden folder beside the output until the
whole is there.
"""
