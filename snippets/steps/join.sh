step_join() {
    need_own_cluster join
{% if own_address %}
    need_own_address {{ own_address }}
{% endif %}
    own_address={{ (own_address or "") | string }}
    need_nothing_to_lose
{% if many_links_from %}
    need_version pve-cluster {{ many_links_from }} {{ m("cluster.many_links") }} {{ m("cluster.many_links_do") }}
{% endif %}
{% if rsync_from and not by_api %}
    need_rsync_copies {{ rsync_from }}
{% endif %}
{% if by_api %}
    need_version pve-cluster 5.0.21 {{ m("api.join") }} {{ m("api.version_do") }}
    need_api_member {{ address }} {{ member }} {{ fingerprint | string }}
{% else %}
    need_member {{ address }} {{ member }}
{% endif %}
    before_pvecm {{ policy }}{% if own_address %} {{ own_address }}{% endif %}

{% if by_api %}
    join_by_api {{ address }} {{ member }} {{ fingerprint | string }}{{ ' ' | sh if options }}{{ options }}
{% else %}
    join_cluster {{ address }} {{ member }}{{ ' ' | sh if options }}{{ options }}
{% endif %}
    if is_member; then want_units present run {{ boot }}; fi
    expect {{ m("cluster.in_quorum", node=node, cluster=cluster) }} "$limit_quorum" \
        {{ m("cluster.in_quorum_do", node=node, ports=t("cluster.ports_" ~ corosync)) }} \
        in_quorum
    expect {{ m("cluster.files") }} 5 \
        {{ m("cluster.files_do") }} \
        has_corosync_files
    {{ "unlock_api_join" if by_api else "unlock_join" }}
    settle pvecm pvecm updatecerts
    expect {{ m("ssh.root_login") }} 5 \
        {{ m("ssh.root_login_do") }} \
        root_login_as_wanted {{ policy }}
}
