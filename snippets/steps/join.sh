step_join() {
    need_own_cluster
    need_nothing_to_lose
    need_member {{ address }} {{ member }}
    join_cluster {{ address }} {{ member }}{{ ' ' | sh if options }}{{ options }}
    expect {{ m("cluster.in_quorum", node=node, cluster=cluster) }} "$limit_quorum" \
        {{ m("cluster.in_quorum_do") }} \
        in_quorum
    unlock_join
    want_units present boot {{ boot }}
}
