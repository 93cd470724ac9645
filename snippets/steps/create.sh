step_create() {
    need_own_cluster create
{% if own_address %}
    need_own_address {{ own_address }}
{% endif %}
{% if many_links_from %}
    need_version pve-cluster {{ many_links_from }} {{ m("cluster.many_links") }} {{ m("cluster.many_links_do") }}
{% endif %}
{% if coefficient_from %}
    need_version pve-cluster {{ coefficient_from }} {{ m("cluster.coefficient") }} {{ m("cluster.coefficient_do") }}
{% endif %}
    before_pvecm {{ policy }}{% if own_address %} {{ own_address }}{% endif %}

    ask_others {{ others | heredoc }}
    create_cluster {{ cluster }}{{ ' ' | sh if options }}{{ options }}
    if is_member; then want_units present run {{ boot }}; fi
    expect {{ m("cluster.in_quorum", node=node, cluster=cluster) }} "$limit_quorum" \
        {{ m("cluster.in_quorum_do", node=node, ports=t("cluster.ports_" ~ corosync)) }} \
        in_quorum
    expect {{ m("cluster.files") }} 5 \
        {{ m("cluster.files_do") }} \
        has_corosync_files
{% if coefficient_from %}
    expect {{ m("cluster.has_coefficient", value=coefficient) }} 5 \
        {{ m("cluster.has_coefficient_do") }} \
        has_coefficient {{ coefficient }}
{% endif %}
    expect {{ m("ssh.root_login") }} 5 \
        {{ m("ssh.root_login_do") }} \
        root_login_as_wanted {{ policy }}
}
