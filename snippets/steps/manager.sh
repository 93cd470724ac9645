step_manager() {
    want_certificate
    want_units present run {{ after }}
    want_units present run {{ onboot }}
    expect {{ m("manager.api", address=address) }} "$limit_api" \
        {{ m("manager.api_do") }} \
        api_answers {{ address }}
{% for other in others %}
    expect_root_reaches {{ other.address }} {{ other.name }}
{% endfor %}
}
