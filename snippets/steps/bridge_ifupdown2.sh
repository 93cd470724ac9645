# What the switch of the network has to know.
network_manager=ifupdown2
{% include 'steps/bridge/state.sh' %}

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
{% if kinds %}
    need_brings_up {{ kinds }}
{% endif %}
{% if several_aware %}
    need {{ m("net.several_aware") }} {{ m("net.several_aware_do") }} takes_several_aware
{% endif %}
{% if nameservers %}
    need {{ m("net.takes_servers") }} {{ m("net.takes_servers_do") }} takes_nameservers {{ nameservers }}
{% endif %}
    need {{ m("net.no_new") }} {{ m("net.no_new_do") }} test ! -e /etc/network/interfaces.new
{% for name in made %}
    need_free {{ name }} {{ uppers | string }}
{% endfor %}
    on_change network
    switch_network
{% include 'steps/bridge/reached.sh' %}
    want_one_at_boot {{ boot_units }}
}
