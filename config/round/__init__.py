"""`make round`: the whole loop without a browser, from nothing to the next round's tasks, in a temporary home.

A client of a really running Plumbline: it starts the supervisor, makes people and a project, and from then on speaks
HTTP like any other program. It computes no figure that the site or its files do not already hold.
"""
