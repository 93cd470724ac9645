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
