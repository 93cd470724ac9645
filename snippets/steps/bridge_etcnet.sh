network_state() {
{% for fact in facts %}
    holds {{ m(fact.message, **fact["values"]) }} {{ fact.command }}
{% endfor %}
}

step_bridge() {
    need {{ m("net.etcnet") }} {{ m("net.etcnet_do") }} test -d /etc/net/ifaces
    need_not_disabled
{% for nic in nics %}
    need_interface {{ nic }} {{ uppers | string }}
{% endfor %}
{% if brctl %}
    need_commands brctl
{% endif %}
    on_change network
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
    need_nothing_else {{ directory.path }} {{ directory.ipv6 }}
{% endif %}
{% for name in directory.forgotten %}
    want_not_ours {{ directory.path ~ "/" ~ name }}
{% endfor %}
{% endfor %}
{% for name in made %}
    need_free {{ name }} {{ uppers | string }}
{% endfor %}
    bring_up network_state {{ bridges | string }} systemctl restart {{ restart }}
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
