"""Reports: what is read from a snapshot, rated, and put into the contract's shape.

Each function takes the connection of one snapshot and gives frozen values; none reads a clock.
"""
