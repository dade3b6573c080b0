"""Where decisions are computed: in processes that can be stopped, or in place for people at their own terminal.

A process of the pool imports this package too, so nothing is imported here.
"""
