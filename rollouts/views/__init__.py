"""Read models: plain objects in, rows and trees for people out. Pure.

Shared by the command line and the web page. May import ``api``, ``kube.objects`` and ``workloads``.
"""
