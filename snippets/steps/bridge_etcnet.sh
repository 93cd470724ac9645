# What the switch of the network has to know.
network_manager=etcnet
network_bridges={{ bridges | string }}
network_made={{ made_names | string }}
network_interfaces={{ interface_names | string }}
network_peers={{ peers | string }}
network_keeps={{ "yes" if keep else "" }}
network_unit={{ restart }}
stage_none='# pvegen: no such file in this profile'

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
{% for directory in directories %}

    want_directory {{ directory.path }}
{% for file in directory.files %}
{% if file.name == "options" and directory.keep %}
    keep_method {{ directory.path }} {{ directory.moved_from }}
    want_options {{ directory.path ~ "/options" }} "$kept_method" "$kept_ipv6" {{ file.text | heredoc }}
{% else %}
    want_file {{ directory.path ~ "/" ~ file.name }} {{ file.text | heredoc }}
{% endif %}
{% endfor %}
{% for name in directory.moved %}
    want_moved {{ directory.moved_from ~ "/" ~ name }} {{ directory.path ~ "/" ~ name }}
{% endfor %}
{% for name in directory.absent %}
    want_absent {{ directory.path ~ "/" ~ name }}
{% endfor %}
{% endfor %}

{% for directory in directories %}
{% if not directory.keep and not directory.gives %}
    need_nothing_else {{ directory.path }} {{ directory.ipv6 }}{% if directory.name == port and address %} {{ "/etc/net/ifaces/" ~ bridge }} {{ address }}{% endif %}

{% endif %}
{% for name in directory.forgotten %}
    want_not_ours {{ directory.path ~ "/" ~ name }}
{% endfor %}
{% endfor %}
}

step_bridge() {
    need {{ m("net.etcnet") }} {{ m("net.etcnet_do") }} test -d /etc/net/ifaces
    need_not_disabled
    need {{ m("net.no_profile") }} {{ m("net.no_profile_do") }} uses_no_profile
{% for nic in nics %}
    need_interface {{ nic }} {{ uppers | string }}
{% endfor %}
{% if brctl %}
    need_commands brctl
{% endif %}
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
    want_units required boot {{ boot_units }}
}
