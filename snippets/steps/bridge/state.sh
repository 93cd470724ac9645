network_bridges={{ bridges | string }}
network_made={{ made_names | string }}
network_interfaces={{ interface_names | string }}
network_peers={{ peers | string }}
network_keeps={{ "yes" if keep else "" }}

network_state() {
{% for fact in facts %}
    holds {{ m(fact.message, **fact["values"]) }} {{ fact.command }}
{% endfor %}
}

# What proves it, beside the answers of those who answered before.
network_proof() {
    network_state
{% if port %}
    holds {{ m("net.carrier", name=bridge) }} has_carrier {{ bridge }}
{% endif %}
    # Without that nobody could answer.
    [ -z "$holds_wrong" ] || return 0
{% for gateway in gateways %}
    holds {{ m("net.gateway", gateway=gateway.address) }} answers {{ gateway.address }}{% if gateway.on %} {{ gateway.on }}{% endif %}

{% endfor %}
}
