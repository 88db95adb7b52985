"""Suites that third parties run on their own extensions. Needs pytest; the product never imports it.

``router_contract`` is the contract of a TrafficRouter. May import what it tests: traffic and kube objects.
"""
