step_services() {
{% if alone %}
    need_no_cluster
{% endif %}
    need_bare_mountpoint
{% if not stub %}
    need_no_example
{% endif %}
    want_units present run {{ before }}
    want_units required run {{ cluster }}
{% if alone %}
    expect {{ m("cluster.pmxcfs") }} "$limit_unit" \
        {{ m("unit.run_failed_do", unit="pve-cluster") }} \
        pmxcfs_writes
{% endif %}
}
