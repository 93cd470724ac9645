"""pvegen: one description of a Proxmox VE cluster in, one shell script a node out."""

__version__ = "0.1.0"
