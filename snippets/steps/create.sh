step_create() {
    need_own_cluster
    create_cluster {{ cluster }}{{ ' ' | sh if options }}{{ options }}
    expect {{ m("cluster.in_quorum", node=node, cluster=cluster) }} "$limit_quorum" \
        {{ m("cluster.in_quorum_do") }} \
        in_quorum
    want_units present boot {{ boot }}
}
