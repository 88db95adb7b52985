"""Which object is written when: phases, waves, kinds, hooks, and how much may be pruned. Pure."""
