"""A gateway on loopback: splits real requests by the weights of HTTPRoutes.

Duty: ``table`` turns HTTPRoutes, Services and EndpointSlices into a routing table and matches requests
(pure), ``balance`` spreads requests, ``status`` says what a controller reports on a route (pure), ``proxy``
forwards, ``controller`` keeps the table up to date and writes the status. ``load`` sends requests at a
constant rate and counts the answers. ``definition`` is an HTTPRoute CRD for clusters without one. May
import ``rollouts.kube`` and the clock.

Promises: hosts, matches and their precedence, weight 0, invalid references (500 for their share) and Services
without endpoints (503) as the Gateway API says; status is written only after the table is in force. The
choice among weighted backends is deterministic (smooth weighted round-robin), so shares are exact within
one request per backend. It is no product for production traffic.
"""
