"""Stand-ins for corosync, pmxcfs, pvecm and pveproxy: a cluster of sandboxes that really talk to one another."""
