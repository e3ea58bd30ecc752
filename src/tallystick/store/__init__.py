"""The store: every statement of SQL, for both engines, and nothing else.

`database` opens it and hands out connections; each other module holds functions over a connection, named after
the tables that they serve.
"""
