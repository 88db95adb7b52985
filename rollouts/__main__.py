"""``python -m rollouts``."""

from rollouts.cli.main import main

main()
