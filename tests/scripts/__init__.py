"""Node scripts run in sandboxes: in every shell, against the wiki's own commands, against traps, by hand."""
