step_names() {
{% if hosts %}
    want_hosts {{ names | string }} {{ text | heredoc }}
{% else %}
    want_no_block /etc/hosts names
{% endif %}
{% for node in nodes %}
{% if node.address %}
    expect {{ m("names.forward", name=node.name, address=node.address) }} 5 \
        {{ m("names.forward_do", name=node.name) }} \
        resolves {{ node.name }} {{ node.address }}
    expect {{ m("names.back", name=node.fqdn, address=node.address) }} 5 \
        {{ m("names.back_do") }} \
        resolves_back {{ node.address }} {{ node.fqdn }} {{ node.name }}
{% else %}
    expect {{ m("names.both_ways", name=node.name) }} 5 \
        {{ m("names.forward_do", name=node.name) }} \
        resolves_both_ways {{ node.name }} {{ node.fqdn }}
{% endif %}
{% endfor %}
    expect {{ m("names.own", name=own) }} 5 \
        {{ m("names.own_do", name=own) }} \
        resolves_to_own {{ own }}
}
