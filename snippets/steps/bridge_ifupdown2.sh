# What the switch of the network has to know.
network_manager=ifupdown2
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

network_files() {
{% if "@dns@" in text %}
    # @dns@ stands for the name servers that are there now.
{% endif %}
    want_interfaces /etc/network/interfaces {{ names | string }} {{ kept | string }} {{ text | heredoc }}
}

step_bridge() {
{% for nic in nics %}
    need_interface {{ nic }} {{ uppers | string }}
{% endfor %}
    need_no_stanza_elsewhere {{ name_list }}
    need {{ m("net.no_new") }} {{ m("net.no_new_do") }} test ! -e /etc/network/interfaces.new
{% for name in made %}
    need_free {{ name }} {{ uppers | string }}
{% endfor %}
    on_change network
    switch_network
{% for gateway in gateways %}
    expect {{ m("net.gateway", gateway=gateway.address) }} "$limit_network" \
        {{ m("net.gateway_do") }} \
        answers {{ gateway.address }}{% if gateway.on %} {{ gateway.on }}{% endif %}

{% endfor %}
{% for server in nameservers %}
    expect {{ m("net.nameserver", server=server) }} "$limit_network" \
        {{ m("net.nameserver_do") }} \
        uses_nameserver {{ server }}
{% endfor %}
    want_one_at_boot {{ boot_units }}
}
