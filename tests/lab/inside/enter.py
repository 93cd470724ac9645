"""For people in the machine: `python3 -i -m lab.inside.enter NETWORK` leaves its nodes in the variable `cluster`."""

from __future__ import annotations

import sys

from .cluster import Cluster
from .networks import NETWORKS
from .prebuilt import use_prebuilt_scripts

if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in NETWORKS:
        sys.exit(f"which network? There are: {', '.join(NETWORKS)}")
    use_prebuilt_scripts()
    cluster = Cluster(sys.argv[1])
    cluster.__enter__()
    print(f"{', '.join(cluster.node)}: see docs/lab-vm.md")
