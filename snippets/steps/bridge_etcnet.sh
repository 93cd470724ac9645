# What the switch of the network has to know.
network_manager=etcnet
network_unit={{ restart }}
stage_none='# pvegen: no such file in this profile'
{% include 'steps/bridge/state.sh' %}

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
{% if bridge_options %}
    need {{ m("net.bridge_options") }} {{ m("net.bridge_options_do") }} etcnet_knows BRIDGE_OPTIONS
{% endif %}
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
{% include 'steps/bridge/reached.sh' %}
    want_units required boot {{ boot_units }}
}
