"""The lab: clusters of real nodes (systemd, sshd, corosync in namespaces of their own) that built scripts run on."""
