"""The calls of the API, one module per resource. Each function checks its arguments and gives a `Call`.

`tallystick.client.resources` makes them methods of both clients, with these signatures and docstrings.
"""
