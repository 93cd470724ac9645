step_names() {
{% if hosts %}
    want_hosts {{ names | string }} {{ text | heredoc }}
{% else %}
    want_no_block /etc/hosts names
{% endif %}
{% if text %}
    expect_names {{ text | heredoc }}
{% endif %}
{% for node in unknown %}
    expect {{ m("names.both_ways", name=node.name) }} 5 \
        {{ m("names.forward_do", name=node.name) }} \
        resolves_both_ways {{ node.name }} {{ node.fqdn }}
{% endfor %}
    expect {{ m("names.own", name=own) }} 5 \
        {{ m("names.own_do", name=own) }} \
        resolves_to_own {{ own }}
}
