"""One foreground process that starts, watches and stops every other process of a Plumbline on one machine.

It knows the processes and the order in which they start and end; it knows nothing of what they do.
"""
